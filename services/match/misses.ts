import { type Capacity, capacityDimensions, type FleetNode, type PlacementRequest } from "./fleet.ts";

/** Why a node cannot take a replica, in the order in which a node is counted: the first one is its refusal. */
export const dimensions = [
  "excluded",
  "status",
  "gpuModel",
  "vramMib",
  "computeCapability",
  "region",
  ...capacityDimensions,
  "price",
] as const;

export type Dimension = (typeof dimensions)[number];

/** What was wanted and what the node has, as text; `shortfall` is 0 to 1 of what was wanted, 1 for what is no amount. */
export type Miss = { dimension: Dimension; wanted: string; has: string; shortfall: number };

/** Everything that keeps the node from taking the replica; empty when it fits. */
export function missesOf(node: FleetNode, request: PlacementRequest): Miss[] {
  const misses: Miss[] = [];
  const other = (dimension: Dimension, wanted: string, has: string) =>
    misses.push({ dimension, wanted, has, shortfall: 1 });
  const short = (dimension: Dimension, wanted: number, has: number) => {
    if (has < wanted)
      misses.push({ dimension, wanted: `${wanted}`, has: `${has}`, shortfall: 1 - has / wanted });
  };
  if (request.excluded.includes(node.nodeId)) other("excluded", "another node", `node ${node.nodeId}`);
  if (node.status !== "online") other("status", "online", node.status);
  if (request.gpuModel !== null && request.gpuModel !== node.gpuModel) {
    other("gpuModel", request.gpuModel, node.gpuModel ?? "none");
  }
  short("vramMib", request.minVramMib, node.vramMib);
  short("computeCapability", request.minComputeCapability, node.computeCapability);
  if (request.region !== null && request.region !== node.region) {
    other("region", request.region, node.region ?? "not told");
  }
  for (const dimension of capacityDimensions)
    short(dimension, request.wanted[dimension], node.free[dimension]);
  if (node.pricePerSecond > request.maxPricePerSecond) misses.push(tooDear(node, request));
  return misses;
}

function tooDear(node: FleetNode, request: PlacementRequest): Miss {
  const over = node.pricePerSecond - request.maxPricePerSecond;
  return {
    dimension: "price",
    wanted: request.maxPricePerSecond.toString(),
    has: node.pricePerSecond.toString(),
    // In millionths first: a Number of token units would lose digits.
    shortfall: Number((over * 1_000_000n) / node.pricePerSecond) / 1_000_000,
  };
}

/** What stays of `free` when `wanted` is taken. */
export function without(free: Capacity, wanted: Capacity): Capacity {
  return {
    gpus: free.gpus - wanted.gpus,
    cpuMilli: free.cpuMilli - wanted.cpuMilli,
    memoryMib: free.memoryMib - wanted.memoryMib,
    diskGib: free.diskGib - wanted.diskGib,
    ports: free.ports - wanted.ports,
  };
}
