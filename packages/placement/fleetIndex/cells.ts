import {
  type Blocks,
  copySlot,
  createBlocks,
  freeBlock,
  grown,
  mergeMinima,
  refreshBlock,
  takeBlock,
} from "./blocks.ts";
import {
  blockSize,
  blockStride,
  bucketCount,
  limitsAt,
  minimaStride,
  scoreCount,
  slotStart,
} from "./layout.ts";

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

/** Called with the new slot of each node that was moved. */
export type Moved = (slot: number) => void;

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

/** Claims a slot for a node of a price; splits the block if it is full. */
export function claimSlot(cells: Cells, cell: number, price: number, moved: Moved): number {
  const { blocks } = cells;
  const list = cells.lists[cell] as number[];
  if (list.length === 0) {
    list.push(takeBlock(blocks));
    cells.lows[cell]?.push(Number.NEGATIVE_INFINITY);
  }
  let at = positionOf(cells.lows[cell] as number[], price);
  if (blocks.counts[list[at] as number] === blockSize) {
    splitBlock(cells, cell, at, moved);
    at = positionOf(cells.lows[cell] as number[], price);
  }
  const block = list[at] as number;
  const count = blocks.counts[block] as number;
  blocks.counts[block] = count + 1;
  cells.sizes[cell] = (cells.sizes[cell] as number) + 1;
  return block * blockSize + count;
}

/** Frees a slot; the last node of the block moves into it. */
export function vacateSlot(cells: Cells, cell: number, slot: number, moved: Moved): void {
  const { blocks } = cells;
  const block = Math.floor(slot / blockSize);
  const last = (blocks.counts[block] as number) - 1;
  blocks.counts[block] = last;
  cells.sizes[cell] = (cells.sizes[cell] as number) - 1;
  const from = block * blockSize + last;
  if (from !== slot) {
    copySlot(blocks.rows, slotStart(from), slotStart(slot));
    moved(slot);
  }
  if (last > 0) refreshCell(cells, cell, block);
  else dropBlock(cells, cell, block);
}

function dropBlock(cells: Cells, cell: number, block: number): void {
  const list = cells.lists[cell] as number[];
  const lows = cells.lows[cell] as number[];
  const at = list.indexOf(block);
  list.splice(at, 1);
  lows.splice(at, 1);
  if (lows.length > 0) lows[0] = Number.NEGATIVE_INFINITY;
  freeBlock(cells.blocks, block);
  for (let column = 0; column < limitsAt; column += 2) recomputeScore(cells, cell, column);
  for (let column = limitsAt; column < minimaStride; column += 1) recomputeLimit(cells, cell, column);
  propagateScores(cells, cell);
}

const before = new Float64Array(minimaStride);

/** Updates the minima of a block and of its cell. */
export function refreshCell(cells: Cells, cell: number, block: number): void {
  const { blocks, minima } = cells;
  const start = block * minimaStride;
  for (let column = 0; column < minimaStride; column += 1) {
    before[column] = blocks.minima[start + column] as number;
  }
  refreshBlock(blocks, block);
  const of = cell * minimaStride;
  mergeMinima(minima, of, blocks.minima, start);
  // A minimum that this block had and no longer has is recomputed from all blocks of the cell.
  for (let column = 0; column < limitsAt; column += 2) {
    const held = before[column] === minima[of + column] && before[column + 1] === minima[of + column + 1];
    const rose =
      (blocks.minima[start + column] as number) > (before[column] as number) ||
      (blocks.minima[start + column + 1] as number) > (before[column + 1] as number);
    if (held && rose) recomputeScore(cells, cell, column);
  }
  for (let column = limitsAt; column < minimaStride; column += 1) {
    const rose = (blocks.minima[start + column] as number) > (before[column] as number);
    if (rose && before[column] === minima[of + column]) recomputeLimit(cells, cell, column);
  }
  propagateScores(cells, cell);
}

function recomputeScore({ blocks, minima, lists }: Cells, cell: number, column: number): void {
  let score = Number.POSITIVE_INFINITY;
  let price = Number.POSITIVE_INFINITY;
  for (const block of lists[cell] as number[]) {
    const own = blocks.minima[block * minimaStride + column] as number;
    const ownPrice = blocks.minima[block * minimaStride + column + 1] as number;
    if (own > score || (own === score && ownPrice >= price)) continue;
    score = own;
    price = ownPrice;
  }
  minima[cell * minimaStride + column] = score;
  minima[cell * minimaStride + column + 1] = price;
}

function recomputeLimit({ blocks, minima, lists }: Cells, cell: number, column: number): void {
  let least = Number.POSITIVE_INFINITY;
  for (const block of lists[cell] as number[]) {
    const own = blocks.minima[block * minimaStride + column] as number;
    if (own < least) least = own;
  }
  minima[cell * minimaStride + column] = least;
}

/** Updates `scores` and `prices` of a cell and of the cells of its class with fewer free GPUs. */
function propagateScores({ scores, prices, minima }: Cells, cell: number): void {
  const lowest = cell - (cell % bucketCount);
  for (let column = 0; column < scoreCount; column += 1) {
    const ownScores = scores[column] as Float64Array;
    const ownPrices = prices[column] as Float64Array;
    const top = cell % bucketCount === bucketCount - 1;
    let score = top ? Number.POSITIVE_INFINITY : (ownScores[cell + 1] as number);
    let price = top ? Number.POSITIVE_INFINITY : (ownPrices[cell + 1] as number);
    for (let one = cell; one >= lowest; one -= 1) {
      const at = one * minimaStride + 2 * column;
      const own = minima[at] as number;
      const ownPrice = minima[at + 1] as number;
      if (own < score || (own === score && ownPrice < price)) {
        score = own;
        price = ownPrice;
      }
      ownScores[one] = score;
      ownPrices[one] = price;
    }
  }
}

/** The last block whose lower bound is at most this price. */
function positionOf(lows: number[], price: number): number {
  let low = 0;
  let high = lows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lows[middle] as number) <= price) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Splits a full block: the more expensive half moves to a new block. */
function splitBlock({ blocks, lists, lows }: Cells, cell: number, at: number, moved: Moved): void {
  const full = lists[cell]?.[at] as number;
  const fresh = takeBlock(blocks);
  const start = full * blockStride;
  const old = blocks.rows.slice(start, start + blockStride);
  const places = Array.from({ length: blockSize }, (_, position) => position).sort(
    (a, b) => (old[a] as number) - (old[b] as number),
  );
  const half = blockSize / 2;
  for (const [rank, position] of places.entries()) {
    const slot = rank < half ? full * blockSize + rank : fresh * blockSize + rank - half;
    const to = slotStart(slot);
    for (let column = 0; column < blockStride; column += blockSize) {
      blocks.rows[to + column] = old[position + column] as number;
    }
    moved(slot);
  }
  blocks.counts[full] = half;
  blocks.counts[fresh] = half;
  lists[cell]?.splice(at + 1, 0, fresh);
  lows[cell]?.splice(at + 1, 0, old[places[half] as number] as number);
  refreshBlock(blocks, full);
  refreshBlock(blocks, fresh);
}
