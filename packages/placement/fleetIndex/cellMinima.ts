import { mergeMinima, refreshBlock } from "./blocks.ts";
import type { Cells } from "./cells.ts";
import { bucketCount, limitsAt, minimaStride, scoreCount } from "./layout.ts";

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

/** Computes the minima of a cell from all of its blocks. */
export function recomputeCell(cells: Cells, cell: number): void {
  for (let column = 0; column < limitsAt; column += 2) recomputeScore(cells, cell, column);
  for (let column = limitsAt; column < minimaStride; column += 1) recomputeLimit(cells, cell, column);
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
