import { doubleRound, pageWords, writePage } from "./permutation.ts";
import { type Kind, type Layout, readsPerSegment, roundsPerSegment, windowOf } from "./terms.ts";

export const stateWords = 16;

/** Where a segment is: the lane, its leg, and the segment of the leg. */
export type Position = { lane: number; leg: number; segment: number };

/** A memory that a chase reads: its layout, and the key of its pages. */
export type Memory = { layout: Layout; key: Int32Array };

const kindNumbers: Record<Kind, number> = { chase: 1, work: 2 };

/** Binds a state to the seed and the position, at the beginning of a segment. */
function bound(
  kind: Kind,
  before: Int32Array,
  key: Int32Array,
  { lane, leg, segment }: Position,
): Int32Array {
  const state = Int32Array.from(before);
  for (let i = 0; i < 8; i++) state[i] = (state[i] as number) ^ (key[i] as number);
  state[8] = (state[8] as number) ^ lane;
  state[9] = (state[9] as number) ^ leg;
  state[10] = (state[10] as number) ^ segment;
  state[11] = (state[11] as number) ^ kindNumbers[kind];
  return state;
}

/** The state after a segment of dependent reads. Makes each page that it reads, so the memory is not needed. */
export function chaseSegment(
  before: Int32Array,
  key: Int32Array,
  position: Position,
  { layout, key: fillKey }: Memory,
): Int32Array {
  const state = bound("chase", before, key, position);
  const page = new Int32Array(pageWords);
  const firstPage = windowOf(layout, position.leg, position.segment) * layout.windowPages;
  for (let read = 0; read < readsPerSegment; read++) {
    doubleRound(state, 0, 1);
    const place = placeOf(state[0] as number, layout.windowBlocks);
    writePage(page, fillKey, firstPage + (place >>> 4));
    const block = (place & 15) * stateWords;
    for (let i = 0; i < stateWords; i++) state[i] = (state[i] as number) ^ (page[block + i] as number);
  }
  return state;
}

/** The state after a segment of arithmetic. */
export function workSegment(before: Int32Array, key: Int32Array, position: Position): Int32Array {
  const state = bound("work", before, key, position);
  for (let round = 0; round < roundsPerSegment; round++) doubleRound(state, 0, 1);
  return state;
}

/** floor(word × blocks / 2³²) in steps that a double holds exactly: blocks is at most 2²⁸. */
export function placeOf(word: number, blocks: number): number {
  const high = (word >>> 16) * blocks;
  const low = (word & 0xffff) * blocks;
  return Math.floor((high + Math.floor(low / 65_536)) / 65_536);
}
