import { type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { InputError } from "@ngpu/runtime/errors";
import { type AssignmentAudit, auditAssignment } from "./assignmentAudit.ts";
import { createAssignmentLogs } from "./assignmentLogs.ts";
import { type BlockClock, createBlockClock, readMarketLogs } from "./chainHistory.ts";
import { fleetOfLogs, placementEvents } from "./fleetLogs.ts";
import { othersPending } from "./placeBounds.ts";
import { readJudgedWaves } from "./waveHistory.ts";

/** What names an assignment: its lease, or the decision that led to it. */
export type AssignmentName = { lease: string } | { workspaceId: bigint; replica: number; decidedAt: bigint };

export type VerifiedAssignment = AssignmentAudit & {
  lease: string;
  assignedAt: bigint;
  /** Hash of the block of the decision; undefined where the chain has none with its number. */
  decidedHash: string | undefined;
};

/**
 * Recomputes the assignment of a lease from an RPC endpoint alone.
 *
 * @param lease Workspace, replica and lease, as in 7/0/1.
 * @throws InputError `lease_not_found`
 */
export async function verifyLease(
  client: RpcClient,
  deployment: Deployment,
  lease: string,
): Promise<VerifiedAssignment> {
  const found = await verifyAssignmentOf(client, deployment, { lease });
  if (found !== undefined) return found;
  throw new InputError(`The chain has no assignment of lease ${lease}.`, {
    code: "lease_not_found",
    hint: "Name the workspace, the replica and the lease, as in 7/0/1.",
  });
}

/** Recomputes an assignment from an RPC endpoint alone; undefined: the chain has none of this name. */
export async function verifyAssignmentOf(
  client: RpcClient,
  deployment: Deployment,
  name: AssignmentName,
): Promise<VerifiedAssignment | undefined> {
  const { number: latest } = await readHeader(client, "latest");
  const clock = createBlockClock(client, latest);
  const wanted = { events: placementEvents, upTo: latest, clock, untimed: true };
  const logs = await readMarketLogs(client, deployment, wanted);
  const assigned = logs.find((log) => log.name === "Assigned" && isNamed(log, name));
  if (assigned === undefined) return undefined;
  const decidedAt = amount(assigned.args.decidedAt);
  const decided = decidedAt > latest ? undefined : await readHeader(client, decidedAt);
  const { slotSeconds } = deployment.parameters;
  const block = decided && { number: decidedAt, hash: decided.hash, time: Number(decided.timestamp) };
  const index = createAssignmentLogs();
  for (const log of await withStatusTimes(logs, clock)) index.take(log);
  const own = index.of(assigned, block?.time ?? 0, slotSeconds);
  const waves = await readJudgedWaves(client, deployment, { upTo: latest, clock });
  const audit = auditAssignment(own, assigned, {
    decided: block,
    assignedAt: await clock.timeOf(assigned.block),
    timesOf: await decisionTimes([assigned, ...othersPending(own, assigned)], latest, clock),
    slotSeconds,
    nodes: block === undefined ? [] : fleetOfLogs(logs, block, waves),
    priceNow: index.priceBefore(number(assigned.args.nodeId), assigned),
  });
  const lease = leaseKey(assigned.args);
  return { lease, assignedAt: assigned.block, decidedHash: decided?.hash, ...audit };
}

/** The logs, with the times at which nodes changed their status. */
function withStatusTimes(logs: readonly ChainLog[], { timeOf }: BlockClock): Promise<ChainLog[]> {
  return Promise.all(
    logs.map(async (log) =>
      log.name === "NodeStatusChanged" ? { ...log, time: await timeOf(log.block) } : log,
    ),
  );
}

/** The times of the blocks of decision. */
export async function decisionTimes(
  assignments: readonly ChainLog[],
  latest: bigint,
  { timeOf }: BlockClock,
): Promise<Map<bigint, number>> {
  const blocks = new Set(assignments.map(({ args }) => amount(args.decidedAt)));
  const times = new Map<bigint, number>();
  for (const block of blocks) if (block <= latest) times.set(block, await timeOf(block));
  return times;
}

function isNamed({ args }: ChainLog, name: AssignmentName): boolean {
  if ("lease" in name) return leaseKey(args) === name.lease;
  return (
    amount(args.workspaceId) === name.workspaceId &&
    number(args.replica) === name.replica &&
    amount(args.decidedAt) === name.decidedAt
  );
}
