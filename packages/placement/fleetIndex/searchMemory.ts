import type { PlacementRequest } from "../fleet.ts";
import type { Cells } from "./cells.ts";
import type { Classes } from "./classes.ts";
import { bucketOf, limitCount, limited, writeLimits } from "./layout.ts";

/** A query for the first node in the order of score, price, tie and id. */
export type SearchQuery = {
  request: PlacementRequest;
  /** Column of the score. */
  column: number;
  seed: number;
  /** Called only for nodes that would become the best; false skips the node. */
  admits: (nodeId: number) => boolean;
};

/** Cell and slot of each node, by node id. */
export type Places = { cells: Int32Array; slots: Int32Array };

/** Working memory, reused by all searches of an index. */
export type Search = {
  classes: Classes;
  cells: Cells;
  places: Places;
  /** The best so far; 0: none. `best` holds its score, price and tie, and the request's highest price. */
  nodeId: number;
  best: Float64Array;
  limits: Float64Array;
  /** The limited columns that the request limits; the others are not checked. */
  active: Int32Array;
  activeCount: number;
  /** The lowest bucket in which a node can have enough free GPUs. */
  bucket: number;
  rows: Float64Array;
  /** One bit for each node to consider; null: all nodes. */
  bits: Uint32Array | null;
};

/** Indexes in `best`. */
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

/** Resets the result and prepares for a request. */
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

/** Whether every node is within a limit. Free capacity can be negative: a node may declare less than it has assigned. */
function always(column: number, limit: number): boolean {
  if (column < uptimeColumn) return false;
  return column === latencyColumn ? limit === Number.POSITIVE_INFINITY : limit >= 0;
}
