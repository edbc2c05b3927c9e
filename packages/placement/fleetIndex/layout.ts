import type { FleetNode, PlacementRequest } from "../fleet.ts";
import { strategies } from "../strategies/all.ts";

/*
 * Nodes lie in blocks of up to `blockSize`. A block keeps one column after the other, so that a search reads the scores of its
 * nodes at one stretch and the rest only of nodes that might win. "At least" is written as "at most" by its negative: every
 * column is a minimum, and one comparison with the request's limit tells whether any node below can have enough.
 *
 *   column:  score (one a strategy; the first is the price) | limited columns | node id
 *   minima:  of each score the least with the least price at it | the least of each limited column
 *
 * Blocks and cells (classes.ts) have minima in the same order.
 */

/** Nodes in a block (docs/benchmarks.md says what was measured). */
export const blockSize = 32;

const scores = [...new Set([strategies.cheapest, ...Object.values(strategies)].map(({ score }) => score))];

/** Column of a strategy's scores. The first one is the price, by which the nodes of a cell lie in blocks. */
export const scoreColumn = (score: (node: FleetNode) => number): number => scores.indexOf(score);

/** The dimensions of the limited columns, in the order in which refusals are counted. */
export const limited = [
  ...(["gpus", "cpuMilli", "memoryMib", "diskGib", "ports"] as const),
  ...(["uptimePermille", "downMbps", "upMbps", "latencyTenthMs"] as const),
];

export const scoreCount = scores.length;
export const limitCount = limited.length;
export const idColumn = scoreCount + limitCount;
export const blockStride = (idColumn + 1) * blockSize;
/** Score and price of each strategy, then the limited columns. */
export const limitsAt = 2 * scoreCount;
export const minimaStride = limitsAt + limitCount;

/** Free GPUs from which on a node is in a bucket. */
const bucketFloors = [0, 1, 2, 4, 8, 16] as const;
export const bucketCount = bucketFloors.length;

export function bucketOf(gpus: number): number {
  return gpus < 1 ? 0 : Math.min(bucketCount - 1, 32 - Math.clz32(gpus));
}

/** Where the first column of a slot lies; the others follow `blockSize` apart. A slot is block × `blockSize` + place. */
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
