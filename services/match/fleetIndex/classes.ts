import type { FleetNode } from "../fleet.ts";
import { type Blocks, freeBlock, refreshBlock, takeBlock } from "./blocks.ts";
import { blockSize, minimaStride, nodeStride } from "./layout.ts";

/** Nodes that are alike in what never changes by a reservation; their blocks lie in the order of the price. */
export type NodeClass = {
  gpuModel: string | null;
  vramMib: number;
  computeCapability: number;
  region: string | null;
  measured: boolean;
  blocks: number[];
  /** The lowest price that belongs in each of the blocks. */
  lows: number[];
  minima: Float64Array;
};

export function classKey(node: FleetNode): string {
  const { gpuModel, vramMib, computeCapability, region, measured } = node;
  return `${gpuModel}|${vramMib}|${computeCapability}|${region}|${measured}`;
}

export function createClass(node: FleetNode): NodeClass {
  const { gpuModel, vramMib, computeCapability, region, measured } = node;
  return {
    ...{ gpuModel, vramMib, computeCapability, region, measured },
    blocks: [],
    lows: [],
    minima: new Float64Array(minimaStride).fill(Number.POSITIVE_INFINITY),
  };
}

/** Told of each node that lies at another slot than before. */
export type Moved = (slot: number) => void;

/** A free slot for a node of that price; makes room by parting a full block in two. */
export function claimSlot(blocks: Blocks, group: NodeClass, price: number, moved: Moved): number {
  if (group.blocks.length === 0) {
    group.blocks.push(takeBlock(blocks));
    group.lows.push(Number.NEGATIVE_INFINITY);
  }
  let at = placeOf(group, price);
  if (blocks.counts[group.blocks[at] as number] === blockSize) {
    part(blocks, group, at, moved);
    at = placeOf(group, price);
  }
  const block = group.blocks[at] as number;
  const count = blocks.counts[block] as number;
  blocks.counts[block] = count + 1;
  return block * blockSize + count;
}

/** Empties a slot; the block's last node takes it. */
export function vacateSlot(blocks: Blocks, group: NodeClass, slot: number, moved: Moved): void {
  const block = Math.floor(slot / blockSize);
  const last = (blocks.counts[block] as number) - 1;
  blocks.counts[block] = last;
  const from = block * blockSize + last;
  if (from !== slot) {
    blocks.rows.copyWithin(slot * nodeStride, from * nodeStride, (from + 1) * nodeStride);
    moved(slot);
  }
  if (last > 0) refreshInClass(blocks, group, block);
  else dropBlock(blocks, group, block);
}

function dropBlock(blocks: Blocks, group: NodeClass, block: number): void {
  const at = group.blocks.indexOf(block);
  group.blocks.splice(at, 1);
  group.lows.splice(at, 1);
  if (group.lows.length > 0) group.lows[0] = Number.NEGATIVE_INFINITY;
  freeBlock(blocks, block);
  for (let column = 0; column < minimaStride; column += 1) lower(blocks, group, column);
}

const before = new Float64Array(minimaStride);

/** Brings the minima of a block and of its class up to date. */
export function refreshInClass(blocks: Blocks, group: NodeClass, block: number): void {
  const start = block * minimaStride;
  for (let column = 0; column < minimaStride; column += 1) {
    before[column] = blocks.minima[start + column] as number;
  }
  refreshBlock(blocks, block);
  const { minima } = group;
  for (let column = 0; column < minimaStride; column += 1) {
    const now = blocks.minima[start + column] as number;
    if (now <= (minima[column] as number)) minima[column] = now;
    else if (before[column] === minima[column]) lower(blocks, group, column);
  }
}

function lower(blocks: Blocks, group: NodeClass, column: number): void {
  let least = Number.POSITIVE_INFINITY;
  for (const block of group.blocks) {
    least = Math.min(least, blocks.minima[block * minimaStride + column] as number);
  }
  group.minima[column] = least;
}

/** The last block whose lowest price is at most this one. */
function placeOf(group: NodeClass, price: number): number {
  let low = 0;
  let high = group.lows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((group.lows[middle] as number) <= price) low = middle;
    else high = middle - 1;
  }
  return low;
}

function part(blocks: Blocks, group: NodeClass, at: number, moved: Moved): void {
  const full = group.blocks[at] as number;
  const fresh = takeBlock(blocks);
  const start = full * blockSize * nodeStride;
  const rows = Array.from({ length: blockSize }, (_, place) =>
    blocks.rows.slice(start + place * nodeStride, start + (place + 1) * nodeStride),
  ).sort((a, b) => (a[0] as number) - (b[0] as number));
  const half = blockSize / 2;
  for (const [place, row] of rows.entries()) {
    const slot = place < half ? full * blockSize + place : fresh * blockSize + place - half;
    blocks.rows.set(row, slot * nodeStride);
    moved(slot);
  }
  blocks.counts[full] = half;
  blocks.counts[fresh] = half;
  group.blocks.splice(at + 1, 0, fresh);
  group.lows.splice(at + 1, 0, rows[half]?.[0] as number);
  refreshBlock(blocks, full);
  refreshBlock(blocks, fresh);
}
