import { type Dimension, firstRejection, type Rejection, rejectionsOf, without } from "./filters.ts";
import type { Fleet, FleetNode, PlacementRequest, Strategy } from "./fleet.ts";
import { candidateOf, orderFor, type Ranked, rankedOf, seedOf } from "./ranking.ts";

/** Refused nodes by the first dimension that refused them: the counts add up to all nodes that do not fit. */
export type Refusals = Partial<Record<Dimension, number>>;

/** The refused node that lacks the least, and all that it lacks. */
export type Nearest = { nodeId: number; rejections: Rejection[] };

export type Decision =
  | { type: "placed"; nodeId: number; ranking: Ranked[]; refusals: Refusals }
  | { type: "impossible"; refusals: Refusals; nearest: Nearest | null };

/** How many candidates an answer names: the next ones are tried when the chain refuses the first. */
export const rankingLength = 16;

/**
 * Chooses the node for a replica by trying all. It rests on the state of the chain at one block and on the request alone,
 * so anyone can do it again. The index (fleetIndex/) gives the same answers faster; this is what they are checked against.
 */
export function decide(fleet: Fleet, request: PlacementRequest, strategy: Strategy): Decision {
  const nodes = new Map(fleet.nodes.map((node) => [node.nodeId, node]));
  for (let position = 0; position < request.position; position += 1) {
    const before = rankAll(nodes.values(), request, strategy)[0];
    const node = before === undefined ? undefined : nodes.get(before.nodeId);
    if (node === undefined) break;
    nodes.set(node.nodeId, taken(node, request));
  }
  const ranking = rankAll(nodes.values(), request, strategy).slice(0, rankingLength);
  const refusals = countRefusals(nodes.values(), request);
  const first = ranking[0];
  if (first !== undefined) return { type: "placed", nodeId: first.nodeId, ranking, refusals };
  return { type: "impossible", refusals, nearest: nearestOf(nodes.values(), request) };
}

/** The best node by one pass over all, undefined when none fits. */
export function bestByScan(
  nodes: Iterable<FleetNode>,
  request: PlacementRequest,
  strategy: Strategy,
): Ranked | undefined {
  const seed = seedOf(request.workspaceId);
  const order = orderFor(request, strategy);
  let best: ReturnType<typeof candidateOf> | undefined;
  for (const node of nodes) {
    if (firstRejection(node, request) !== null) continue;
    const candidate = candidateOf(node, request, strategy, seed);
    if (best === undefined || order(candidate, best) < 0) best = candidate;
  }
  return best === undefined ? undefined : rankedOf(best);
}

/** Every node that fits, best first. */
export function rankAll(nodes: Iterable<FleetNode>, request: PlacementRequest, strategy: Strategy): Ranked[] {
  const seed = seedOf(request.workspaceId);
  const candidates = [];
  for (const node of nodes) {
    if (firstRejection(node, request) === null) candidates.push(candidateOf(node, request, strategy, seed));
  }
  return candidates.sort(orderFor(request, strategy)).map(rankedOf);
}

function taken(node: FleetNode, request: PlacementRequest): FleetNode {
  return {
    ...node,
    free: without(node.free, request.wanted),
    workspaces: [...node.workspaces, request.workspaceId],
  };
}

export function countRefusals(nodes: Iterable<FleetNode>, request: PlacementRequest): Refusals {
  const refusals: Refusals = {};
  for (const node of nodes) {
    const rejection = firstRejection(node, request);
    if (rejection !== null) refusals[rejection] = (refusals[rejection] ?? 0) + 1;
  }
  return refusals;
}

/** How far a node is from fitting: fewer misses first, then the smaller sum of shortfalls. */
export function distanceOf(rejections: readonly Rejection[]): number {
  return rejections.length * 100 + rejections.reduce((sum, rejection) => sum + rejection.shortfall, 0);
}

/** The refused node at the least distance, of equals the one with the lower id. */
export function nearestOf(nodes: Iterable<FleetNode>, request: PlacementRequest): Nearest | null {
  let nearest: (Nearest & { distance: number }) | null = null;
  for (const { nodeId, rejections } of refusedOf(nodes, request)) {
    const distance = distanceOf(rejections);
    if (
      nearest === null ||
      distance < nearest.distance ||
      (distance === nearest.distance && nodeId < nearest.nodeId)
    ) {
      nearest = { nodeId, rejections, distance };
    }
  }
  return nearest === null ? null : { nodeId: nearest.nodeId, rejections: nearest.rejections };
}

function* refusedOf(nodes: Iterable<FleetNode>, request: PlacementRequest): Iterable<Nearest> {
  for (const node of nodes) {
    const rejections = rejectionsOf(node, request);
    if (rejections.length > 0) yield { nodeId: node.nodeId, rejections };
  }
}
