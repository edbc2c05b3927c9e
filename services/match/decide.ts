import type { Fleet, FleetNode, PlacementRequest, Strategy } from "./fleet.ts";
import { type Dimension, type Miss, missesOf, without } from "./misses.ts";

/** A node that fits, with what it was ranked by. */
export type Ranked = { nodeId: number; replicas: number; measured: boolean; score: bigint };

/** Refused nodes by the first dimension that refused them: the counts add up to all nodes that do not fit. */
export type Refusals = Partial<Record<Dimension, number>>;

/** The refused node that lacks the least, and all that it lacks. */
export type Nearest = { nodeId: number; misses: Miss[] };

export type Decision =
  | { type: "placed"; nodeId: number; ranking: Ranked[]; refusals: Refusals }
  | { type: "impossible"; refusals: Refusals; nearest: Nearest | null };

/** How many candidates an answer names: the next ones are tried when the chain refuses the first. */
const rankingLength = 16;

/**
 * Chooses the node for a replica. It rests on the state of the chain at one block and on the request alone, so anyone can
 * do it again.
 *
 * Of the nodes that fit, those with fewer replicas of the workspace come first, then measured ones, then the strategy's
 * score; equals are ordered by a hash of workspace and node, so that workspaces do not all run to the same node.
 */
export function decide(fleet: Fleet, request: PlacementRequest, strategy: Strategy): Decision {
  const nodes = new Map(fleet.nodes.map((node) => [node.nodeId, node]));
  for (let place = 0; place < request.place; place += 1) {
    const before = rank([...nodes.values()], request, strategy)[0];
    const node = before === undefined ? undefined : nodes.get(before.nodeId);
    if (node === undefined) break;
    nodes.set(node.nodeId, taken(node, request));
  }
  const all = [...nodes.values()];
  const ranking = rank(all, request, strategy).slice(0, rankingLength);
  const { refusals, nearest } = account(all, request);
  const first = ranking[0];
  if (first === undefined) return { type: "impossible", refusals, nearest };
  return { type: "placed", nodeId: first.nodeId, ranking, refusals };
}

function taken(node: FleetNode, request: PlacementRequest): FleetNode {
  return {
    ...node,
    free: without(node.free, request.wanted),
    workspaces: [...node.workspaces, request.workspaceId],
  };
}

function rank(nodes: readonly FleetNode[], request: PlacementRequest, strategy: Strategy): Ranked[] {
  return nodes
    .filter((node) => missesOf(node, request).length === 0)
    .map((node) => ({
      nodeId: node.nodeId,
      replicas: node.workspaces.filter((id) => id === request.workspaceId).length,
      measured: node.measured,
      score: strategy(node, request),
      tie: tieOf(request.workspaceId, node.nodeId),
    }))
    .sort(
      (a, b) =>
        a.replicas - b.replicas ||
        Number(b.measured) - Number(a.measured) ||
        (a.score < b.score ? -1 : a.score > b.score ? 1 : 0) ||
        a.tie - b.tie ||
        a.nodeId - b.nodeId,
    )
    .map(({ nodeId, replicas, measured, score }) => ({ nodeId, replicas, measured, score }));
}

function account(
  nodes: readonly FleetNode[],
  request: PlacementRequest,
): { refusals: Refusals; nearest: Nearest | null } {
  const refusals: Refusals = {};
  let nearest: (Nearest & { distance: number }) | null = null;
  for (const node of nodes) {
    const misses = missesOf(node, request);
    const [first] = misses;
    if (first === undefined) continue;
    refusals[first.dimension] = (refusals[first.dimension] ?? 0) + 1;
    // Fewer misses first, then the smaller sum of shortfalls, each at most 1.
    const distance = misses.length * 100 + misses.reduce((sum, miss) => sum + miss.shortfall, 0);
    if (nearest === null || distance < nearest.distance) nearest = { nodeId: node.nodeId, misses, distance };
  }
  return {
    refusals,
    nearest: nearest === null ? null : { nodeId: nearest.nodeId, misses: nearest.misses },
  };
}

/** A 32-bit FNV-1a hash of both numbers in decimal. */
function tieOf(workspaceId: bigint, nodeId: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${workspaceId}:${nodeId}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 0;
}
