import { blockSize, blockStride, limitCount, limitsAt, minimaStride, scoreCount } from "./layout.ts";

/** The columns of all blocks, and the minima of each block. Layout: layout.ts. */
export type Blocks = {
  rows: Float64Array;
  minima: Float64Array;
  /** Number of nodes in each block; they occupy its first slots. */
  counts: Int32Array;
  freed: number[];
  used: number;
};

export function createBlocks(): Blocks {
  const capacity = 16;
  return {
    rows: new Float64Array(capacity * blockStride),
    minima: new Float64Array(capacity * minimaStride),
    counts: new Int32Array(capacity),
    freed: [],
    used: 0,
  };
}

/** Allocates a block and returns its number. */
export function takeBlock(blocks: Blocks): number {
  const freed = blocks.freed.pop();
  if (freed !== undefined) return freed;
  if (blocks.used === blocks.counts.length) {
    const capacity = blocks.used * 2;
    blocks.rows = grown(blocks.rows, capacity * blockStride);
    blocks.minima = grown(blocks.minima, capacity * minimaStride);
    const counts = new Int32Array(capacity);
    counts.set(blocks.counts);
    blocks.counts = counts;
  }
  blocks.used += 1;
  return blocks.used - 1;
}

export function freeBlock(blocks: Blocks, block: number): void {
  blocks.counts[block] = 0;
  blocks.freed.push(block);
}

/** A longer copy; new elements are set to `fill`. */
export function grown(from: Float64Array, length: number, fill = 0): Float64Array {
  const to = new Float64Array(length);
  to.set(from);
  if (fill !== 0) to.fill(fill, from.length);
  return to;
}

/** Recomputes the minima of a block from its columns. */
export function refreshBlock({ rows, minima, counts }: Blocks, block: number): void {
  const first = block * blockStride;
  const count = counts[block] as number;
  let to = block * minimaStride;
  for (let column = 0; column < scoreCount; column += 1) {
    const start = first + column * blockSize;
    let score = Number.POSITIVE_INFINITY;
    let price = Number.POSITIVE_INFINITY;
    for (let position = 0; position < count; position += 1) {
      const own = rows[start + position] as number;
      if (own > score) continue;
      const ownPrice = rows[first + position] as number;
      if (own < score || ownPrice < price) price = ownPrice;
      score = own;
    }
    minima[to] = score;
    minima[to + 1] = price;
    to += 2;
  }
  for (let column = 0; column < limitCount; column += 1) {
    const start = first + (scoreCount + column) * blockSize;
    let least = Number.POSITIVE_INFINITY;
    for (let position = 0; position < count; position += 1) {
      const own = rows[start + position] as number;
      if (own < least) least = own;
    }
    minima[to] = least;
    to += 1;
  }
}

/** Copies the columns of one slot to another. */
export function copySlot(rows: Float64Array, from: number, to: number): void {
  for (let column = 0; column < blockStride; column += blockSize) {
    rows[to + column] = rows[from + column] as number;
  }
}

/** Merges minima at `at` into those at `to`: each score together with its price, each limited column separately. */
export function mergeMinima(into: Float64Array, to: number, from: Float64Array, at: number): void {
  for (let column = 0; column < limitsAt; column += 2) {
    const score = from[at + column] as number;
    const price = from[at + column + 1] as number;
    const known = into[to + column] as number;
    if (score > known || (score === known && price >= (into[to + column + 1] as number))) continue;
    into[to + column] = score;
    into[to + column + 1] = price;
  }
  for (let column = limitsAt; column < minimaStride; column += 1) {
    const own = from[at + column] as number;
    if (own < (into[to + column] as number)) into[to + column] = own;
  }
}
