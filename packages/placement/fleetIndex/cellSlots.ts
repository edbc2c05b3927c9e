import { copySlot, freeBlock, refreshBlock, takeBlock } from "./blocks.ts";
import { recomputeCell, refreshCell } from "./cellMinima.ts";
import type { Cells } from "./cells.ts";
import { blockSize, blockStride, slotStart } from "./layout.ts";

/** Called with the new slot of each node that was moved. */
export type Moved = (slot: number) => void;

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
  recomputeCell(cells, cell);
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
