import type { Refusals } from "../decide.ts";
import { classRejectionsOf, type Dimension, firstRejection } from "../filters.ts";
import type { FleetNode, PlacementRequest } from "../fleet.ts";
import type { Cells } from "./cells.ts";
import type { Classes } from "./classes.ts";
import {
  blockSize,
  blockStride,
  bucketCount,
  bucketOf,
  idColumn,
  limitCount,
  limited,
  scoreCount,
  writeLimits,
} from "./layout.ts";

export type IndexedNodes = {
  classes: Classes;
  cells: Cells;
  get: (nodeId: number) => FleetNode | undefined;
};

/** The counted nodes, the request's limits, and the number of nodes beyond each limit. */
type Counting = IndexedNodes & { limits: Float64Array; short: Int32Array };

/**
 * Counts rejected nodes as `countRefusals` of decide.ts does. Classes and cells whose nodes all have the same rejection are
 * counted by their size, the others node by node.
 */
export function createRefusals({
  classes,
  cells,
  get,
}: IndexedNodes): (request: PlacementRequest) => Refusals {
  const counting: Counting = {
    classes,
    cells,
    get,
    limits: new Float64Array(limitCount),
    short: new Int32Array(limitCount),
  };
  return (request) => refusalsOf(counting, request);
}

function refusalsOf(counting: Counting, request: PlacementRequest): Refusals {
  const { classes, cells, get, limits, short } = counting;
  const refusals: Refusals = {};
  const highest = Number(request.maxPricePerSecond);
  const rest = (at: number) => add(refusals, remainingRejection(counting, at, request, highest), 1);
  const bucket = bucketOf(request.wanted.gpus);
  writeLimits(limits, request);
  short.fill(0);
  for (const one of classes.byKey.values()) {
    const [classRejection] = classRejectionsOf(one, request);
    if (classRejection !== undefined) {
      add(refusals, classRejection.dimension, one.size);
      continue;
    }
    const first = one.number * bucketCount;
    // All nodes in lower buckets have too few free GPUs.
    for (let at = 0; at < bucket; at += 1) add(refusals, "gpus", cells.sizes[first + at] as number);
    for (let at = bucket; at < bucketCount; at += 1) countCell(counting, first + at, rest);
  }
  for (const [column, dimension] of limited.entries()) add(refusals, dimension, short[column] as number);
  for (const nodeId of new Set(request.excluded)) {
    const node = get(nodeId);
    if (node === undefined) continue;
    add(refusals, firstRejection(node, { ...request, excluded: [] }), -1);
    add(refusals, "excluded", 1);
  }
  return refusals;
}

function add(refusals: Refusals, dimension: Dimension | null, by: number): void {
  if (dimension === null || by === 0) return;
  const count = (refusals[dimension] ?? 0) + by;
  if (count === 0) delete refusals[dimension];
  else refusals[dimension] = count;
}

/** Counts the nodes of a cell that are beyond a limit; calls `rest` with the slot of each other node. */
function countCell({ cells, limits, short }: Counting, cell: number, rest: (at: number) => void): void {
  const { rows, counts } = cells.blocks;
  for (const block of cells.lists[cell] as number[]) {
    const first = block * blockStride;
    const end = first + (counts[block] as number);
    for (let at = first; at < end; at += 1) {
      const column = firstShort(rows, at + scoreCount * blockSize, limits);
      if (column < limitCount) short[column] = (short[column] as number) + 1;
      else rest(at);
    }
  }
}

/** The filter that rejects a node within all limits: image or price; null when it fits. */
function remainingRejection(
  { cells, get }: Counting,
  at: number,
  request: PlacementRequest,
  highest: number,
): Dimension | null {
  const { rows } = cells.blocks;
  const node = () => get(rows[at + idColumn * blockSize] as number);
  if (request.imageAffinity === "require" && node()?.images.has(request.image) !== true) return "image";
  const price = rows[at] as number;
  if (price !== highest) return price > highest ? "price" : null;
  // The price in the column is rounded to 53 bits.
  return (node()?.pricePerSecond ?? 0n) > request.maxPricePerSecond ? "price" : null;
}

/** The first limited column that is beyond its limit; `limitCount` when none is. `start` is the first of them. */
function firstShort(rows: Float64Array, start: number, limits: Float64Array): number {
  let column = 0;
  let at = start;
  while (column < limitCount && (rows[at] as number) <= (limits[column] as number)) {
    column += 1;
    at += blockSize;
  }
  return column;
}
