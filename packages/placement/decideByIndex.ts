import { type Decision, rankingLength } from "./decide.ts";
import type { PlacementRequest, Strategy } from "./fleet.ts";
import type { FleetIndex } from "./fleetIndex/fleetIndex.ts";

/** The decision of `decide`, computed from an index over the same fleet. The index is unchanged afterwards. */
export function decideByIndex(index: FleetIndex, request: PlacementRequest, strategy: Strategy): Decision {
  const reserved: number[] = [];
  try {
    while (reserved.length < request.position) {
      const before = index.best(request, strategy);
      if (before === undefined) break;
      index.reserve(before, request);
      reserved.push(before);
    }
    const ranking = index.rank(request, strategy, rankingLength);
    const refusals = index.refusals(request);
    const first = ranking[0];
    if (first !== undefined) return { type: "placed", nodeId: first.nodeId, ranking, refusals };
    return { type: "impossible", refusals, nearest: index.nearest(request) };
  } finally {
    for (const nodeId of reserved.reverse()) index.release(nodeId, request);
  }
}
