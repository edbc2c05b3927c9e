import type { Schema } from "@ngpu/api-client/client";
import { verifyAssignmentOf } from "@ngpu/audit/assignments";
import { type Check, clientOf, deploymentOf } from "./chain.ts";

type Name = "assigned" | "block" | "node" | "decided" | "excluded" | "price" | "fits" | "best" | "ranking";

/**
 * Recomputes a placement from an RPC endpoint alone: its assignment on the chain, the nodes as of its block, and which of them was
 * the best. What the market says is compared with that.
 */
export async function verifyPlacement(
  placement: Schema<"Placement">,
  deployment: unknown,
  rpcUrl: string,
): Promise<Check<Name>[]> {
  const { workspaceId, replica, nodeId, block, ranking } = placement;
  const found = await verifyAssignmentOf(clientOf(rpcUrl) as never, deploymentOf(deployment), {
    workspaceId: BigInt(workspaceId),
    replica,
    decidedAt: BigInt(block?.number ?? 0),
  });
  if (found === undefined) return [{ name: "assigned", holds: false, detail: block?.number ?? "" }];
  const { checks } = found;
  const stated = (ranking as { nodeId?: number }[]).map((one) => Number(one.nodeId));
  const steps: Check<Name>[] = [
    { name: "assigned", holds: true, detail: `${found.lease}, ${found.assignedAt}` },
    { name: "block", holds: found.decidedHash === block?.hash, detail: found.decidedHash ?? "" },
    { name: "node", holds: found.nodeId === nodeId, detail: String(found.nodeId) },
    { name: "decided", holds: checks.block && checks.place, detail: `${found.decidedAt}, ${found.position}` },
    {
      name: "excluded",
      holds: checks.excluded,
      detail: found.excluded.map(({ nodeId }) => nodeId).join(", "),
    },
    { name: "price", holds: checks.price, detail: String(found.price) },
    { name: "fits", holds: checks.fits, detail: String(found.nodeId) },
    { name: "best", holds: checks.best, detail: found.ranking.slice(0, 10).join(", ") },
    {
      name: "ranking",
      holds: stated.every((node, place) => node === found.ranking[place]),
      detail: stated.slice(0, 10).join(", "),
    },
  ];
  const wrong = steps.findIndex(({ holds }) => !holds);
  return wrong < 0 ? steps : steps.slice(0, wrong + 1);
}
