import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { generationIds } from "@ngpu/waves/draw";
import { type Address, zeroAddress } from "viem";
import type { NgpuParameters } from "./parameters.ts";

export type Contracts = Record<ContractName, Address>;

/** Contracts that are replaced together, in deployment order. The others stay (docs/adr/0016-generations-side-by-side.md). */
export const successions = {
  market: ["Escrow", "Pomc", "DockerContract", "Progress"],
  rewards: ["Pomc"],
  measure: ["Measure", "ProofWaves"],
} as const satisfies Record<string, readonly ContractName[]>;

export type Succession = keyof typeof successions;

/** Constructor parameters of each contract, except ids and addresses; the epochs' genesis and length never change. */
const constructedWith = {
  ComputeNode: [
    "slotSeconds",
    "heartbeatWindowSeconds",
    "daySeconds",
    "uptimeDelay",
    "registrationLimit",
    "registrationSeconds",
    "absenceBasisPoints",
  ] as const,
  Token: ["cap", "genesisSupply"],
  Escrow: [
    "minSeconds",
    "lockFloor",
    "rateFloor",
    "startSeconds",
    "restSeconds",
    "refundDays",
    "feeBasisPoints",
  ] as const,
  Pomc: ["activationDelay", "attestedDelay", "settlementSeconds", "emissionPerEpoch", "rewardTerms"],
  DockerContract: ["clockMarginSeconds", "lossBasisPoints", "lossFloor", "lossSilenceSeconds"],
  Measure: [
    "quorum",
    "measureDraws",
    "openMeasurers",
    "measureLeadSeconds",
    "measureWindowSeconds",
    "measureTtlSeconds",
  ] as const,
  ProofWaves: ["waves"],
} as const satisfies Partial<Record<ContractName, readonly (keyof NgpuParameters)[]>>;

/** Parameters of the contracts that stay: unchanged, whatever the successors' parameters are. */
export function parametersKept(succession: Succession, previous: NgpuParameters): Partial<NgpuParameters> {
  const names: readonly string[] = successions[succession];
  const kept = Object.entries(constructedWith).flatMap(([name, own]) =>
    names.includes(name) ? [] : [...own],
  );
  return Object.fromEntries(kept.map((field) => [field, previous[field]]));
}

/** Ids of 64 bits reserved for a generation: more than any generation issues. */
const WIDE_IDS = 2 ** 40;

/**
 * Returns the successors' parameters about previous contracts, so that no id is issued twice and no epoch is paid by two.
 *
 * @param lastEpoch The last number that the previous Pomc posted; it must not post again.
 */
export function beforeOf(
  succession: Succession,
  previous: { parameters: Pick<NgpuParameters, "before">; contracts: Contracts },
  lastEpoch: bigint,
): NgpuParameters["before"] {
  const { before } = previous.parameters;
  if (succession === "measure") {
    const measurers = before.measurers + generationIds;
    return { ...before, measurers, rounds: before.rounds + WIDE_IDS, waves: before.waves + generationIds };
  }
  const rewards = { ...before, epochs: Number(lastEpoch), batches: before.batches + WIDE_IDS };
  if (succession === "rewards") return { ...rewards, receiptsOf: previous.contracts.Pomc };
  return {
    ...rewards,
    // Another escrow has its own sums, so receipts count from zero.
    receiptsOf: zeroAddress,
    workspaces: before.workspaces + WIDE_IDS,
    authorizations: before.authorizations + WIDE_IDS,
  };
}
