import { type Dimension, firstRejection, type Rejection, rejectionsOf, without } from "./filters.ts";
import type { Fleet, FleetNode, PlacementRequest, Strategy } from "./fleet.ts";
import { candidateOf, orderFor, type Ranked, rankedOf, seedOf } from "./ranking.ts";

/** Number of rejected nodes by the first filter that rejects them. The counts add up to all nodes that do not fit. */
export type Refusals = Partial<Record<Dimension, number>>;

/** The rejected node that is closest to fitting, with all its rejections. */
export type Nearest = { nodeId: number; rejections: Rejection[] };

export type Decision =
  | { type: "placed"; nodeId: number; ranking: Ranked[]; refusals: Refusals }
  | { type: "impossible"; refusals: Refusals; nearest: Nearest | null };

/** Maximum number of candidates in a decision. The next one is tried when the chain rejects the first. */
export const rankingLength = 16;

/**
 * Chooses the node of a replica by trying every node. The decision depends only on the state of the chain at one block
 * and on the request, so anyone can recompute it. This is the reference for the index (fleetIndex/), which gives the same
 * decisions faster.
 */
export function decide(fleet: Fleet, request: PlacementRequest, strategy: Strategy): Decision {
  const nodes = new Map(fleet.nodes.map((node) => [node.nodeId, node]));
  for (let position = 0; position < request.position; position += 1) {
    const before = rankAll(nodes.values(), request, strategy)[0];
    const node = before === undefined ? undefined : nodes.get(before.nodeId);
    if (node === undefined) break;
    nodes.set(node.nodeId, reserved(node, request));
  }
  const ranking = rankAll(nodes.values(), request, strategy).slice(0, rankingLength);
  const refusals = countRefusals(nodes.values(), request);
  const first = ranking[0];
  if (first !== undefined) return { type: "placed", nodeId: first.nodeId, ranking, refusals };
  return { type: "impossible", refusals, nearest: nearestOf(nodes.values(), request) };
}

/** The best node, found in one pass; undefined when none fits. */
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

function reserved(node: FleetNode, request: PlacementRequest): FleetNode {
  return {
    ...node,
    free: without(node.free, request.wanted),
    workspaces: [...node.workspaces, request.workspaceId],
  };
}

/** Counts the rejected nodes by the first filter that rejects them. */
export function countRefusals(nodes: Iterable<FleetNode>, request: PlacementRequest): Refusals {
  const refusals: Refusals = {};
  for (const node of nodes) {
    const rejection = firstRejection(node, request);
    if (rejection !== null) refusals[rejection] = (refusals[rejection] ?? 0) + 1;
  }
  return refusals;
}

/** Distance of a node from fitting: the number of rejections counts first, then the sum of their shortfalls. */
export function distanceOf(rejections: readonly Rejection[]): number {
  return rejections.length * 100 + rejections.reduce((sum, rejection) => sum + rejection.shortfall, 0);
}

/** The rejected node at the least distance. The lower id wins a tie. Null when no node is rejected. */
export function nearestOf(nodes: Iterable<FleetNode>, request: PlacementRequest): Nearest | null {
  let nearest: (Nearest & { distance: number }) | null = null;
  for (const { nodeId, rejections } of rejectedOf(nodes, request)) {
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

function* rejectedOf(nodes: Iterable<FleetNode>, request: PlacementRequest): Iterable<Nearest> {
  for (const node of nodes) {
    const rejections = rejectionsOf(node, request);
    if (rejections.length > 0) yield { nodeId: node.nodeId, rejections };
  }
}
