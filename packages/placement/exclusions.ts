import { firstRejection } from "./filters.ts";
import type { FleetNode, PlacementRequest } from "./fleet.ts";

/**
 * The excluded nodes that fit otherwise, in ascending order. The decision is the same without the others: reservations only take
 * capacity, so a node that does not fit at first never does.
 */
export function countedExclusions(
  nodeOf: (nodeId: number) => FleetNode | undefined,
  request: PlacementRequest,
): number[] {
  const free = { ...request, excluded: [] };
  return [...new Set(request.excluded)]
    .filter((nodeId) => {
      const node = nodeOf(nodeId);
      return node !== undefined && firstRejection(node, free) === null;
    })
    .sort((a, b) => a - b);
}
