import { abis as contractAbis } from "@ngpu/contracts-sdk/abis";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { packTerms } from "@ngpu/rewards/terms";
import { generationIds } from "@ngpu/waves/draw";
import { defaultRules, packRules } from "@ngpu/waves/rules";
import { type Abi, type Address, encodeFunctionData, type Hex, toFunctionSelector, zeroAddress } from "viem";
import { type NgpuParameters, rewardTermsOf } from "./parameters.ts";
import { adminRole, type RoleLabel, roles } from "./roles.ts";

type Contracts = Record<ContractName, Address>;

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

/** A call that a role makes, immediately or after its delay. */
export type RoleCall = {
  role: RoleLabel | "ADMIN";
  contract: ContractName;
  to: Address;
  name: string;
  args: readonly unknown[];
  data: Hex;
};

const abis = { AccessManager: managerAbi, ...contractAbis } as unknown as Record<ContractName, Abi>;

function caller(contracts: Contracts) {
  return (role: RoleCall["role"], contract: ContractName, name: string, ...args: unknown[]): RoleCall => {
    const data = encodeFunctionData({ abi: abis[contract], functionName: name, args });
    return { role, contract, to: contracts[contract], name, args, data };
  };
}

/** The contracts that are replaced, with the parameters of their rewards. */
type Predecessors = {
  contracts: Contracts;
  parameters: Pick<NgpuParameters, "before" | "emissionPerEpoch">;
};

/**
 * Returns the calls that put the successors into use next to the previous contracts, in this order.
 *
 * @param parameters The successors' parameters.
 */
export function introduction(
  succession: Succession,
  previous: Predecessors,
  contracts: Contracts,
  parameters: NgpuParameters,
): RoleCall[] {
  const call = caller(contracts);
  const functionRoles = functionRolesOf(call, successions[succession], contracts);
  if (succession === "measure") return [...functionRoles, ...measureCalls(call, contracts, parameters)];
  const rewards = rewardCalls(call, previous, contracts, parameters);
  if (succession === "rewards") return [...functionRoles, ...rewards];
  return [
    ...functionRoles,
    call("governance", "Escrow", "setDocker", contracts.DockerContract),
    call("governance", "ComputeNode", "addDocker", contracts.DockerContract),
    ...parameters.keepers.map((keeper) => call("operations", "DockerContract", "setKeeper", keeper, true)),
    ...parameters.witnesses.map((witness) =>
      call("operations", "DockerContract", "setWitness", witness, true),
    ),
    ...rewards,
  ];
}

type Caller = ReturnType<typeof caller>;

/** The calls that give each role its functions of the successors. */
function functionRolesOf(call: Caller, names: readonly ContractName[], contracts: Contracts): RoleCall[] {
  return names.flatMap((name) =>
    roles.flatMap(({ id, may }) => {
      const signatures: readonly string[] =
        (may as Partial<Record<ContractName, readonly string[]>>)[name] ?? [];
      if (signatures.length === 0) return [];
      const selectors = signatures.map((signature) => toFunctionSelector(signature));
      return [call("ADMIN", "AccessManager", "setTargetFunctionRole", contracts[name], selectors, id)];
    }),
  );
}

function measureCalls(call: Caller, contracts: Contracts, parameters: NgpuParameters): RoleCall[] {
  return [
    call("governance", "ComputeNode", "setMeasure", contracts.Measure, true),
    call("governance", "ProofWaves", "setRules", packRules(defaultRules)),
    ...parameters.measureKeepers.map((keeper) =>
      call("operations", "Measure", "setMeasureKeeper", keeper, true),
    ),
  ];
}

function rewardCalls(
  call: Caller,
  previous: Predecessors,
  contracts: Contracts,
  parameters: NgpuParameters,
): RoleCall[] {
  const epochs = BigInt(parameters.before.epochs - previous.parameters.before.epochs);
  // Its schedule's total: it mints what it still owes, and the two together keep to one schedule.
  const limit = epochs * previous.parameters.emissionPerEpoch;
  return [
    call("governance", "Token", "setMinter", previous.contracts.Pomc, limit),
    call("governance", "Token", "setMinter", contracts.Pomc, parameters.cap),
    call("operations", "Pomc", "setPoster", parameters.poster),
    ...(parameters.receiptsPoster === undefined
      ? []
      : [call("operations", "Pomc", "setReceiptsPoster", parameters.receiptsPoster)]),
    ...parameters.watchers.map((watcher) => call("operations", "Pomc", "setWatcher", watcher, true)),
    call("governance", "Pomc", "setTerms", packTerms(rewardTermsOf(parameters))),
  ];
}

const selectorsOf = (contract: ContractName, names: readonly string[]) =>
  abis[contract].flatMap((item) =>
    item.type === "function" && names.includes(item.name) ? [toFunctionSelector(item)] : [],
  );

/** Returns the calls that pause the entries of contracts whose successors are in use. Their exits continue. */
export function retirement(succession: Succession, previous: Contracts): RoleCall[] {
  const call = caller(previous);
  const pause = (contract: ContractName, ...names: string[]) =>
    call("guardian", contract, "pause", selectorsOf(contract, names));
  if (succession === "measure")
    return [pause("Measure", "registerMeasurerBatch", "request"), pause("ProofWaves", "open", "claimBatch")];
  if (succession === "rewards") return [pause("Pomc", "postEpoch", "commitReceipts")];
  return [
    call("governance", "ComputeNode", "retireDocker", previous.DockerContract),
    pause("DockerContract", "registerImage", "publish", "publishBatch", "assign"),
    pause("Escrow", "deposit", "depositWithPermit", "authorize"),
    pause("Pomc", "postEpoch"),
  ];
}

/** The role's number in the AccessManager. */
export function roleIdOf(label: RoleCall["role"]): bigint {
  return roles.find((role) => role.label === label)?.id ?? adminRole;
}
