import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { amount, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { InputError } from "@ngpu/runtime/errors";
import { auditAssignment, type PassedOver } from "./assignmentAudit.ts";
import { createBlockClock, readMarketLogs } from "./chainHistory.ts";
import { placementEvents } from "./fleetLogs.ts";
import { withReleaseTimes } from "./priceLimit.ts";
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
  const replica = { workspaceId: amount(assigned.args.workspaceId), replica: number(assigned.args.replica) };
  const audit = auditAssignment(
    await withReleaseTimes(logs, replica, clock),
    assigned,
    decided && { number: decidedAt, hash: decided.hash, time: Number(decided.timestamp) },
  );
  const { checks, nodeId, price, position, ranking, passedOver } = audit;
  printVerdict(options, checks, { lease: name, assignedAt: assigned.block, ...audit }, [
    `Lease ${name}: node ${nodeId} at ${price} token units per second, assigned in block ${assigned.block}.`,
    `Decided at block ${decidedAt}, position ${position}. Best nodes there: ${ranking.join(", ") || "none"}.`,
    ...passedOver.map(passedOverText),
  ]);
}

function passedOverText({ nodeId, reason }: PassedOver): string {
  return `Node ${nodeId} ranks higher. ${reason ?? "The chain has no reason to pass it over."}`;
}
