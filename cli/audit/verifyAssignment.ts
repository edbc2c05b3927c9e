import type { Exclusion } from "@ngpu/audit/assignmentAudit";
import { verifyLease } from "@ngpu/audit/assignments";
import type { PlaceBounds } from "@ngpu/audit/placeBounds";
import { createChainClient } from "@ngpu/chain-reader/client";
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
  const audit = await verifyLease(client, deployment, name);
  const { checks, assignedAt, decidedAt, nodeId, price, position, places, ranking, excluded } = audit;
  printVerdict(options, checks, audit, [
    `Lease ${name}: node ${nodeId} at ${price} token units per second, assigned in block ${assignedAt}.`,
    `Decided at block ${decidedAt}, position ${position}. Best nodes there: ${ranking.join(", ") || "none"}.`,
    ...(checks.place ? [] : [`The chain has ${placesText(places)} for it.`]),
    ...excluded.map(exclusionText),
  ]);
}

const placesText = ({ least, most }: PlaceBounds) =>
  least === most ? `position ${least}` : `positions ${least} to ${most}`;

function exclusionText({ nodeId, reason }: Exclusion): string {
  return `Node ${nodeId} was excluded. ${reason ?? "The chain has no reason for it."}`;
}
