import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type LossStatement, type SignedLoss, signLoss } from "@ngpu/protocol/lossStatement";
import { parseEventLogs, type TransactionReceipt } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, type MarketFixture } from "./market.ts";
import type { WorkspaceSpec } from "./workspaces.ts";

export const witness = keyOf("witness");

/** The values of IDockerTypes.ReleaseReason. */
export const releaseReason = {
  deleted: 0,
  lost: 1,
  unfunded: 2,
  expired: 3,
  replaced: 4,
  late: 5,
  silent: 6,
} as const;

/** A statement that a node has been silent for a minute, signed now by the witness. */
export async function stateLoss(
  market: MarketFixture,
  nodeId = 1,
  changes: Partial<LossStatement> = {},
  signer: PrivateKeyAccount = witness,
): Promise<SignedLoss> {
  const now = await market.time.latest();
  const statement = { nodeId, lastHeard: now - 60, statedAt: now, ...changes };
  return signLoss(signer, market.deployment, market.docker.address, statement);
}

type Placed = {
  ref: { workspaceId: bigint; replica: number; lease: number };
  spec: WorkspaceSpec;
};

/** Releases leases as a keeper, on these statements; by default one about node 1. */
export async function releaseLost(
  market: MarketFixture,
  placed: readonly Placed[],
  statements?: readonly SignedLoss[],
): Promise<TransactionReceipt> {
  const { docker, people, mined } = market;
  const given = statements ?? [await stateLoss(market)];
  const args = [placed.map(({ ref }) => ref), placed.map(({ spec }) => spec), given] as const;
  return mined(docker.write.releaseLost(args, { account: people.keeper }));
}

/** The reasons of the leases that a transaction released. */
export function reasonsIn({ logs }: TransactionReceipt): number[] {
  return parseEventLogs({ abi: dockerContractAbi, logs, eventName: "Released" }).map(
    ({ args }) => args.reason,
  );
}
