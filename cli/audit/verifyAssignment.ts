import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { amount, type ChainLog } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { InputError } from "@ngpu/runtime/errors";
import { auditAssignment, type Exclusion } from "./assignmentAudit.ts";
import { type BlockClock, createBlockClock, readMarketLogs } from "./chainHistory.ts";
import { placementEvents } from "./fleetLogs.ts";
import { othersPending, type PlaceBounds } from "./placeBounds.ts";
import { type SourceOptions, sourceOf } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

/** Whether a text names a lease, such as 7/0/1. */
export const isLease = (name: string) => /^\d{1,20}\/\d{1,5}\/\d{1,10}$/.test(name);

/**
 * Recomputes the assignment of a lease from an RPC endpoint alone and prints whether its node was the best at the block that the
 * assignment names. The exit code is 0 if so, else 2.
 *
 * @param name Workspace, replica and lease.
 */
export async function verifyAssignment(
  name: string,
  options: SourceOptions & { json: boolean },
): Promise<void> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { number: latest } = await readHeader(client, "latest");
  const clock = createBlockClock(client, latest);
  const wanted = { events: placementEvents, upTo: latest, clock, untimed: true };
  const logs = await readMarketLogs(client, deployment, wanted);
  const assigned = logs.find((log) => log.name === "Assigned" && leaseKey(log.args) === name);
  if (assigned === undefined) {
    throw new InputError(`The chain has no assignment of lease ${name}.`, {
      code: "lease_not_found",
      hint: "Name the workspace, the replica and the lease, as in 7/0/1.",
    });
  }
  const decidedAt = amount(assigned.args.decidedAt);
  const decided = decidedAt > latest ? undefined : await readHeader(client, decidedAt);
  const audit = auditAssignment(await withStatusTimes(logs, clock), assigned, {
    decided: decided && { number: decidedAt, hash: decided.hash, time: Number(decided.timestamp) },
    assignedAt: await clock.timeOf(assigned.block),
    timesOf: await decisionTimes([assigned, ...othersPending(logs, assigned)], latest, clock),
    slotSeconds: deployment.parameters.slotSeconds,
  });
  const { checks, nodeId, price, position, places, ranking, excluded } = audit;
  printVerdict(options, checks, { lease: name, assignedAt: assigned.block, ...audit }, [
    `Lease ${name}: node ${nodeId} at ${price} token units per second, assigned in block ${assigned.block}.`,
    `Decided at block ${decidedAt}, position ${position}. Best nodes there: ${ranking.join(", ") || "none"}.`,
    ...(checks.place ? [] : [`The chain has ${placesText(places)} for it.`]),
    ...excluded.map(exclusionText),
  ]);
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
async function decisionTimes(
  assignments: readonly ChainLog[],
  latest: bigint,
  { timeOf }: BlockClock,
): Promise<Map<bigint, number>> {
  const blocks = new Set(assignments.map(({ args }) => amount(args.decidedAt)));
  const times = new Map<bigint, number>();
  for (const block of blocks) if (block <= latest) times.set(block, await timeOf(block));
  return times;
}

const placesText = ({ least, most }: PlaceBounds) =>
  least === most ? `position ${least}` : `positions ${least} to ${most}`;

function exclusionText({ nodeId, reason }: Exclusion): string {
  return `Node ${nodeId} was excluded. ${reason ?? "The chain has no reason for it."}`;
}
