import { type Blocks, createBlocks, grown } from "./blocks.ts";
import { bucketCount, minimaStride, scoreCount } from "./layout.ts";

/**
 * A cell holds the nodes of one class (classes.ts) whose number of free GPUs is in one bucket. A class has `bucketCount`
 * cells. Requests for GPUs skip the cell of nodes without a free GPU. The blocks of a cell are ordered by price.
 */
export type Cells = {
  blocks: Blocks;
  /** Minima of each cell; infinite when the cell is empty. */
  minima: Float64Array;
  /** Per strategy, the least score and its price in each cell and the cells of its class with more free GPUs. */
  scores: Float64Array[];
  prices: Float64Array[];
  /** Blocks of each cell, and the lower bound of the prices in each block. */
  lists: number[][];
  lows: number[][];
  sizes: Int32Array;
};

export function createCells(): Cells {
  const none = () => Array.from({ length: scoreCount }, () => new Float64Array(0));
  return {
    blocks: createBlocks(),
    minima: new Float64Array(0),
    scores: none(),
    prices: none(),
    lists: [],
    lows: [],
    sizes: new Int32Array(0),
  };
}

/** Grows the arrays to hold the cells of `classes` classes. */
export function growCells(cells: Cells, classes: number): void {
  const wanted = classes * bucketCount;
  if (wanted <= cells.lists.length) return;
  const length = Math.max(wanted, 2 * cells.lists.length);
  const infinity = Number.POSITIVE_INFINITY;
  cells.minima = grown(cells.minima, length * minimaStride, infinity);
  cells.scores = cells.scores.map((column) => grown(column, length, infinity));
  cells.prices = cells.prices.map((column) => grown(column, length, infinity));
  const sizes = new Int32Array(length);
  sizes.set(cells.sizes);
  cells.sizes = sizes;
  while (cells.lists.length < length) {
    cells.lists.push([]);
    cells.lows.push([]);
  }
}
