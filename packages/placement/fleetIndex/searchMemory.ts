import type { PlacementRequest } from "../fleet.ts";
import type { Cells } from "./cells.ts";
import type { Classes } from "./classes.ts";
import { bucketOf, limitCount, limited, writeLimits } from "./layout.ts";

/** What is query: the first node in the order of score, price, tie and id. */
export type SearchQuery = {
  request: PlacementRequest;
  /** Column of the score. */
  column: number;
  seed: number;
  /** Asked only of nodes that would be the best so far; false passes them over. */
  admits: (nodeId: number) => boolean;
};

/** Where nodes lie, by their ids. */
export type Places = { cells: Int32Array; slots: Int32Array };

/** Working memory, kept from one search to the next. */
export type Search = {
  classes: Classes;
  cells: Cells;
  places: Places;
  /** The best so far: 0 for none, with its score, price and tie, and the highest price. */
  nodeId: number;
  best: Float64Array;
  limits: Float64Array;
  /** The limited columns that the request asks something of; the others need no look. */
  active: Int32Array;
  activeCount: number;
  /** The lowest one whose nodes have enough GPUs. */
  bucket: number;
  rows: Float64Array;
  /** Null, or one bit for each node that is to be looked at. */
  bits: Uint32Array | null;
};

/** Places in `best`. */
export const scoreAt = 0;
export const priceAt = 1;
export const tieAt = 2;
export const highestAt = 3;

export function createSearch(classes: Classes, cells: Cells, places: Places): Search {
  return {
    classes,
    cells,
    places,
    nodeId: 0,
    best: new Float64Array(4),
    limits: new Float64Array(limitCount),
    active: new Int32Array(limitCount),
    activeCount: 0,
    bucket: 0,
    rows: cells.blocks.rows,
    bits: null,
  };
}

/** Forgets what was found, and prepares for another request. */
export function beginSearch(search: Search, request: PlacementRequest): void {
  const { best, limits, active } = search;
  search.rows = search.cells.blocks.rows;
  search.nodeId = 0;
  search.bits = null;
  best[scoreAt] = Number.MAX_VALUE;
  best[priceAt] = Number.MAX_VALUE;
  best[highestAt] = Number(request.maxPricePerSecond);
  writeLimits(limits, request);
  search.bucket = bucketOf(request.wanted.gpus);
  let activeCount = 0;
  for (let column = 0; column < limitCount; column += 1) {
    const limit = limits[column] as number;
    if (!always(column, limit)) active[activeCount++] = column;
  }
  search.activeCount = activeCount;
}

const uptimeColumn = limited.indexOf("uptimePermille");
const latencyColumn = limited.indexOf("latencyTenthMs");

/** Whether every node is within a limit. What is free may be below zero: a node may offer less than it gave away. */
function always(column: number, limit: number): boolean {
  if (column < uptimeColumn) return false;
  return column === latencyColumn ? limit === Number.POSITIVE_INFINITY : limit >= 0;
}
