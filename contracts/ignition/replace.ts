import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { FatalError } from "@ngpu/runtime/errors";
import type { NetworkConnection } from "hardhat/types/network";
import { type Address, getAbiItem, toFunctionSelector } from "viem";
import type { NgpuDeployment } from "./deploy.ts";
import type { NgpuParameters } from "./parameters.ts";
import { introductionModule, successorModule } from "./Successor.ts";
import { introduction, type RoleCall } from "./succession.ts";
import { beforeOf, parametersKept, type Succession, successions } from "./successionParameters.ts";

export type Replacement = {
  /** With the successors in use, and the replaced contracts in `previous`. */
  deployment: NgpuDeployment;
  /** Calls that the roles must still make, in this order; empty when the deployer holds the roles and has made them. */
  introduction: RoleCall[];
};

/**
 * Deploys the successors of some contracts next to them. A repeated call resumes where it stopped, or changes nothing.
 * Where an admin is configured, it makes no call of a role but returns the calls that the roles must make.
 *
 * @param generation The generation's number; the first deployment is 1.
 * @throws FatalError `generation_invalid`; `pomc_not_paused`: the replaced Pomc must be paused, so that the successor's
 *   epochs and sums of receipts continue where its own end; or `epoch_not_active`: the guardian must no longer be able to
 *   disable its last epoch, since the successor accepts no number up to it.
 */
export async function replaceNgpu(options: {
  connection: NetworkConnection<"op">;
  deployment: NgpuDeployment;
  succession: Succession;
  generation: number;
  /** Changes to the parameters of the previous contracts; ignored for contracts that stay. */
  changes?: Partial<Omit<NgpuParameters, "before" | "genesis" | "epochSeconds">>;
  pollMs?: number;
  journal?: { folder: string; id: string };
}): Promise<Replacement> {
  const { connection, deployment: previous, succession, generation, journal } = options;
  const current = previous.previous.length + 1;
  if (generation <= current) return { deployment: previous, introduction: [] };
  if (generation > current + 1) {
    throw new FatalError(`Generation ${generation} cannot follow generation ${current}.`, {
      code: "generation_invalid",
      hint: `Set --generation to ${current + 1}.`,
    });
  }
  const lastEpoch = await lastEpochOf(options);
  const before = beforeOf(succession, previous, lastEpoch);
  const kept = parametersKept(succession, previous.parameters);
  const parameters = { ...previous.parameters, ...options.changes, ...kept, before };
  const config = { requiredConfirmations: 1, blockPollingInterval: options.pollMs ?? 250 };
  const settings = { config, ...(journal ? { deploymentId: journal.id } : {}) };
  const deployed: Record<string, { address: Address }> = await connection.ignition.deploy(
    successorModule(generation, succession, parameters, previous.contracts),
    settings,
  );
  const names: readonly ContractName[] = successions[succession];
  const successors = Object.fromEntries(names.map((name) => [name, deployed[name]?.address]));
  const contracts = { ...previous.contracts, ...successors } as NgpuDeployment["contracts"];
  const calls = introduction(succession, previous, contracts, parameters);
  const areSent = parameters.admin === undefined;
  if (areSent) await connection.ignition.deploy(introductionModule(generation, calls), settings);
  const replaced = Object.fromEntries(names.map((name) => [name, previous.contracts[name]]));
  const entry = { succession, contracts: replaced, parameters: previous.parameters };
  return {
    deployment: { ...previous, contracts, parameters, previous: [...previous.previous, entry] },
    introduction: areSent ? [] : calls,
  };
}

/** The last epoch of the paused Pomc; zero when the Pomc stays, since the number is then unused. */
async function lastEpochOf({ connection, deployment, succession }: Parameters<typeof replaceNgpu>[0]) {
  if (succession === "measure") return 0n;
  const client = await connection.viem.getPublicClient();
  const pomc = { address: deployment.contracts.Pomc, abi: pomcAbi } as const;
  // A successor at the same escrow continues the sums of receipts; one at another escrow starts at zero.
  const paused =
    succession === "rewards" ? (["postEpoch", "commitReceipts"] as const) : (["postEpoch"] as const);
  for (const name of paused) {
    const selector = toFunctionSelector(getAbiItem({ abi: pomcAbi, name }));
    if (await client.readContract({ ...pomc, functionName: "isPaused", args: [selector] })) continue;
    throw new FatalError(`Pomc.${name} is not paused at the contract to be replaced.`, {
      code: "pomc_not_paused",
      hint: "Have the guardian pause it. Calls made in the meantime belong to the successor.",
    });
  }
  const last = await client.readContract({ ...pomc, functionName: "lastEpoch" });
  const [, , activatesAt] = await client.readContract({ ...pomc, functionName: "epochOf", args: [last] });
  const { timestamp } = await client.getBlock();
  if (timestamp >= activatesAt) return last;
  throw new FatalError(
    `Epoch ${last} of the contract to be replaced is not active yet and can still be disabled.`,
    {
      code: "epoch_not_active",
      hint: `Wait until ${new Date(activatesAt * 1_000).toISOString()}, when it activates.`,
    },
  );
}
