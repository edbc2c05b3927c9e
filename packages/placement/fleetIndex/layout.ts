import type { FleetNode, PlacementRequest } from "../fleet.ts";
import { strategies } from "../strategies/all.ts";

/*
 * Nodes are stored in blocks of up to `blockSize`. A block stores its columns one after the other: a search reads the
 * scores of its nodes sequentially, and the other columns only of nodes that may win. Lower bounds are stored negated, so
 * every limit is an upper bound: one comparison of a minimum with the request's limit shows whether any node below it can
 * fit.
 *
 *   column:  score (one per strategy; the first is the price) | limited columns | node id
 *   minima:  the least of each score, with the least price at that score | the least of each limited column
 *
 * The minima of blocks and cells (cells.ts) have the same layout.
 */

/** Maximum number of nodes in a block. The measurements behind it are in docs/benchmarks.md. */
export const blockSize = 32;

const scores = [...new Set([strategies.cheapest, ...Object.values(strategies)].map(({ score }) => score))];

/** Column of a strategy's scores. Column 0 is the price, which orders the blocks of a cell. */
export const scoreColumn = (score: (node: FleetNode) => number): number => scores.indexOf(score);

/** Dimensions of the limited columns, in the order of the filters. */
export const limited = [
  "gpus",
  "cpuMilli",
  "memoryMib",
  "diskGib",
  "ports",
  "uptimePermille",
  "downMbps",
  "upMbps",
  "latencyTenthMs",
] as const;

export const scoreCount = scores.length;
export const limitCount = limited.length;
export const idColumn = scoreCount + limitCount;
export const blockStride = (idColumn + 1) * blockSize;
/** Offset of the limited columns in minima: score and price of each strategy precede them. */
export const limitsAt = 2 * scoreCount;
export const minimaStride = limitsAt + limitCount;

/** Lowest number of free GPUs in each bucket. */
const bucketFloors = [0, 1, 2, 4, 8, 16] as const;
export const bucketCount = bucketFloors.length;

/** The bucket of a number of free GPUs. */
export function bucketOf(gpus: number): number {
  return gpus < 1 ? 0 : Math.min(bucketCount - 1, 32 - Math.clz32(gpus));
}

/** Offset of a slot's first column; the others follow `blockSize` apart. A slot is block × `blockSize` + position. */
export const slotStart = (slot: number): number =>
  Math.floor(slot / blockSize) * blockStride + (slot % blockSize);

/** Writes a node's columns at its slot. */
export function writeNode(rows: Float64Array, slot: number, node: FleetNode): void {
  let at = slotStart(slot);
  for (const score of scores) {
    rows[at] = score(node);
    at += blockSize;
  }
  const { free } = node;
  rows[at] = -free.gpus;
  rows[at + blockSize] = -free.cpuMilli;
  rows[at + 2 * blockSize] = -free.memoryMib;
  rows[at + 3 * blockSize] = -free.diskGib;
  rows[at + 4 * blockSize] = -free.ports;
  rows[at + 5 * blockSize] = -node.uptimePermille;
  rows[at + 6 * blockSize] = -node.downMbps;
  rows[at + 7 * blockSize] = -node.upMbps;
  rows[at + 8 * blockSize] = node.latencyTenthMs ?? Number.POSITIVE_INFINITY;
  rows[at + 9 * blockSize] = node.nodeId;
}

/** Writes the upper bounds of the limited columns. */
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
