import type { FleetNode, PlacementRequest, Strategy } from "./fleet.ts";

/** A node that fits, with the values by which it was ranked. */
export type Ranked = {
  nodeId: number;
  replicas: number;
  measured: boolean;
  hasImage: boolean;
  score: number;
  pricePerSecond: bigint;
};

type Candidate = Ranked & { price: number; tie: number };

/** Whether nodes that have the image rank before others. */
export function wantsImageFirst(request: PlacementRequest, strategy: Strategy): boolean {
  return request.imageAffinity === "prefer" || strategy.imageFirst === true;
}

/** The values by which a node is compared with others for a request. */
export function candidateOf(
  node: FleetNode,
  request: PlacementRequest,
  strategy: Strategy,
  seed: number,
): Candidate {
  return {
    nodeId: node.nodeId,
    replicas: node.workspaces.filter((id) => id === request.workspaceId).length,
    measured: node.measured,
    hasImage: node.images.has(request.image),
    score: strategy.score(node),
    pricePerSecond: node.pricePerSecond,
    price: Number(node.pricePerSecond),
    tie: tieOf(seed, node.nodeId),
  };
}

/**
 * The order of nodes that fit:
 *
 * 1. fewer replicas of the workspace, or more with `pack`
 * 2. measured nodes
 * 3. nodes with the image, if the request or the strategy ranks them first
 * 4. the strategy's score
 * 5. the price, rounded to 53 bits
 * 6. a hash of workspace and node, so that different workspaces choose different nodes among equals
 * 7. the node id
 */
export function orderFor(
  request: PlacementRequest,
  strategy: Strategy,
): (a: Candidate, b: Candidate) => number {
  const direction = request.replicas === "spread" ? 1 : -1;
  const imageFirst = wantsImageFirst(request, strategy);
  return (a, b) =>
    direction * (a.replicas - b.replicas) ||
    Number(b.measured) - Number(a.measured) ||
    (imageFirst ? Number(b.hasImage) - Number(a.hasImage) : 0) ||
    a.score - b.score ||
    a.price - b.price ||
    a.tie - b.tie ||
    a.nodeId - b.nodeId;
}

/** The fields of a candidate that are part of the decision. */
export function rankedOf({ price: _price, tie: _tie, ...ranked }: Candidate): Ranked {
  return ranked;
}

/** FNV-1a over the workspace's id in decimal: the seed of `tieOf`. */
export function seedOf(workspaceId: bigint): number {
  let hash = 0x811c9dc5;
  for (const character of workspaceId.toString()) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 0;
}

/** Hash of a workspace's seed and a node's id, 32 bits (multiply and shift, twice). */
export function tieOf(seed: number, nodeId: number): number {
  let hash = seed ^ Math.imul(nodeId, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
