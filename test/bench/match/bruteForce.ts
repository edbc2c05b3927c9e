import type { FleetNode, PlacementRequest, Strategy } from "@ngpu/placement/fleet";
import { seedOf, tieOf, wantsImageFirst } from "../../../packages/placement/ranking.ts";

/**
 * Finds the best node by trying all. It is optimized: it allocates no objects, checks cheap conditions first, and compares
 * only nodes that fit. It gives the same node as packages/placement/decide.ts, without the rejections.
 */
export function scanFast(
  nodes: readonly FleetNode[],
  request: PlacementRequest,
  strategy: Strategy,
): FleetNode | undefined {
  const seed = seedOf(request.workspaceId);
  const imageFirst = wantsImageFirst(request, strategy);
  const toward = request.replicas === "spread" ? 1 : -1;
  let best: FleetNode | undefined;
  let replicas = 0;
  let score = 0;
  let price = 0;
  for (const node of nodes) {
    if (!fits(node, request)) continue;
    const ownReplicas = replicasOf(node, request.workspaceId);
    const ownScore = strategy.score(node);
    const ownPrice = Number(node.pricePerSecond);
    if (best !== undefined) {
      const difference =
        toward * (ownReplicas - replicas) ||
        Number(best.measured) - Number(node.measured) ||
        (imageFirst ? Number(best.images.has(request.image)) - Number(node.images.has(request.image)) : 0) ||
        ownScore - score ||
        ownPrice - price ||
        tieOf(seed, node.nodeId) - tieOf(seed, best.nodeId) ||
        node.nodeId - best.nodeId;
      if (difference >= 0) continue;
    }
    best = node;
    replicas = ownReplicas;
    score = ownScore;
    price = ownPrice;
  }
  return best;
}

function replicasOf(node: FleetNode, workspaceId: bigint): number {
  let count = 0;
  for (const id of node.workspaces) if (id === workspaceId) count += 1;
  return count;
}

function fits(node: FleetNode, request: PlacementRequest): boolean {
  const { free } = node;
  const { wanted } = request;
  return (
    free.gpus >= wanted.gpus &&
    node.status === "online" &&
    (request.gpuModel === null || request.gpuModel === node.gpuModel) &&
    node.vramMib >= request.minVramMib &&
    node.computeCapability >= request.minComputeCapability &&
    (request.region === null || request.region === node.region) &&
    free.cpuMilli >= wanted.cpuMilli &&
    free.memoryMib >= wanted.memoryMib &&
    free.diskGib >= wanted.diskGib &&
    free.ports >= wanted.ports &&
    node.pricePerSecond <= request.maxPricePerSecond &&
    node.uptimePermille >= request.minUptimePermille &&
    node.downMbps >= request.minDownMbps &&
    node.upMbps >= request.minUpMbps &&
    (request.maxLatencyTenthMs === null ||
      (node.latencyTenthMs !== null && node.latencyTenthMs <= request.maxLatencyTenthMs)) &&
    (request.imageAffinity !== "require" || node.images.has(request.image)) &&
    !request.excluded.includes(node.nodeId)
  );
}
