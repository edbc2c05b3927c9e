import {
  blockSize,
  bucketCount,
  bucketOf,
  gpuColumn,
  limitCount,
  limitStart,
  minimaStride,
  nodeStride,
  scoreCount,
} from "./layout.ts";

/** Rows of nodes in blocks, and the minima of each block. A slot is a block's number × `blockSize` + a place in it. */
export type Blocks = {
  rows: Float64Array;
  minima: Float64Array;
  /** Nodes in each block; they fill its first places. */
  counts: Int32Array;
  freed: number[];
  used: number;
};

export function createBlocks(): Blocks {
  const capacity = 16;
  return {
    rows: new Float64Array(capacity * blockSize * nodeStride),
    minima: new Float64Array(capacity * minimaStride),
    counts: new Int32Array(capacity),
    freed: [],
    used: 0,
  };
}

/** The number of an empty block. */
export function takeBlock(blocks: Blocks): number {
  const freed = blocks.freed.pop();
  if (freed !== undefined) return freed;
  if (blocks.used === blocks.counts.length) {
    const capacity = blocks.used * 2;
    blocks.rows = grown(blocks.rows, capacity * blockSize * nodeStride);
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

function grown(from: Float64Array, length: number): Float64Array {
  const to = new Float64Array(length);
  to.set(from);
  return to;
}

/** Computes the minima of a block anew from the rows of its nodes. */
export function refreshBlock({ rows, minima, counts }: Blocks, block: number): void {
  const start = block * minimaStride;
  minima.fill(Number.POSITIVE_INFINITY, start, start + minimaStride);
  const first = block * blockSize * nodeStride;
  const end = first + (counts[block] as number) * nodeStride;
  for (let row = first; row < end; row += nodeStride) {
    const bucket = bucketOf(-(rows[row + gpuColumn] as number));
    for (let column = 0; column < scoreCount; column += 1) {
      const at = start + column * bucketCount + bucket;
      const score = rows[row + column] as number;
      if (score < (minima[at] as number)) minima[at] = score;
    }
    for (let column = 0; column < limitCount; column += 1) {
      const at = start + limitStart + column;
      const value = rows[row + scoreCount + column] as number;
      if (value < (minima[at] as number)) minima[at] = value;
    }
  }
  // A node with more free GPUs counts for every lower bucket as well.
  for (let column = 0; column < scoreCount; column += 1) {
    const top = start + column * bucketCount;
    for (let at = top + bucketCount - 2; at >= top; at -= 1) {
      if ((minima[at + 1] as number) < (minima[at] as number)) minima[at] = minima[at + 1] as number;
    }
  }
}
