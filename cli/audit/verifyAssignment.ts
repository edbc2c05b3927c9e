import type { PassedOver } from "@ngpu/audit/assignmentAudit";
import { verifyLease } from "@ngpu/audit/assignments";
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
  const { checks, assignedAt, decidedAt, nodeId, price, position, ranking, passedOver } = audit;
  printVerdict(options, checks, audit, [
    `Lease ${name}: node ${nodeId} at ${price} token units per second, assigned in block ${assignedAt}.`,
    `Decided at block ${decidedAt}, position ${position}. Best nodes there: ${ranking.join(", ") || "none"}.`,
    ...passedOver.map(passedOverText),
  ]);
}

function passedOverText({ nodeId, reason }: PassedOver): string {
  return `Node ${nodeId} ranks higher. ${reason ?? "The chain has no reason to pass it over."}`;
}
