import type { FleetNode, PlacementRequest } from "../fleet.ts";
import { strategies } from "../strategies/all.ts";

/*
 * A node is a row of doubles, a block of up to `blockSize` nodes and a class of blocks each have a row of minima over
 * theirs. "At least" is written as "at most" by its negative, so that every column is a minimum and one comparison with the
 * request's limit tells whether any node below can have enough.
 *
 *   node:            score (one a column of scores) | limited columns | node id
 *   block and class: score × GPU bucket             | limited columns
 *
 * A score's minimum is kept for each bucket of free GPUs: the cheapest node with 8 free GPUs is found though thousands of
 * cheaper ones are full.
 */

/** Nodes in a block. 16, 32 and 64 were measured (docs/benchmarks.md). */
export const blockSize = 32;

const scores = [...new Set([strategies.cheapest, ...Object.values(strategies)].map(({ score }) => score))];

/** Column of a strategy's scores. The first one is the price, by which the nodes of a class lie in blocks. */
export const scoreColumn = (score: (node: FleetNode) => number): number => scores.indexOf(score);

const limited = [
  "gpus",
  "cpuMilli",
  "memoryMib",
  "diskGib",
  "ports",
  "uptime",
  "down",
  "up",
  "latency",
] as const;

export const scoreCount = scores.length;
export const limitCount = limited.length;
/** Free GPUs, negative as all that is limited from below. */
export const gpuColumn = scores.length;
export const idColumn = scoreCount + limitCount;
export const nodeStride = idColumn + 1;

/** A node with so many free GPUs is in the last bucket whose floor it reaches. */
const bucketFloors = [0, 1, 2, 4, 8, 16] as const;
export const bucketCount = bucketFloors.length;
export const limitStart = scoreCount * bucketCount;
export const minimaStride = limitStart + limitCount;

export function bucketOf(gpus: number): number {
  return gpus < 1 ? 0 : Math.min(bucketCount - 1, 32 - Math.clz32(gpus));
}

/** Writes the node's row at `start`. */
export function writeNode(rows: Float64Array, start: number, node: FleetNode): void {
  for (let column = 0; column < scoreCount; column += 1) rows[start + column] = scores[column]?.(node) ?? 0;
  const { free } = node;
  let at = start + scoreCount;
  rows[at++] = -free.gpus;
  rows[at++] = -free.cpuMilli;
  rows[at++] = -free.memoryMib;
  rows[at++] = -free.diskGib;
  rows[at++] = -free.ports;
  rows[at++] = -node.uptimePermille;
  rows[at++] = -node.downMbps;
  rows[at++] = -node.upMbps;
  rows[at++] = node.latencyTenthMs ?? Number.POSITIVE_INFINITY;
  rows[at] = node.nodeId;
}

/** What the limited columns may be at most, in their order. */
export function writeLimits(limits: Float64Array, request: PlacementRequest): void {
  const { wanted } = request;
  limits[0] = -wanted.gpus;
  limits[1] = -wanted.cpuMilli;
  limits[2] = -wanted.memoryMib;
  limits[3] = -wanted.diskGib;
  limits[4] = -wanted.ports;
  limits[5] = -request.minUptimePermille;
  limits[6] = -request.minDownMbps;
  limits[7] = -request.minUpMbps;
  limits[8] = request.maxLatencyTenthMs ?? Number.POSITIVE_INFINITY;
}
