import { concatHex, type Hex, keccak256, stringToHex, toHex } from "viem";

/** A measurer that is admitted at a wave's first block. */
export type Candidate = {
  measurerId: number;
  /** The account it is paid to, and those that lead to it: one measurer of each is drawn. */
  operator: string;
};

/** Ids of measurers and of waves that each generation of Measure and ProofWaves has: more than any issues. */
export const generationIds = 2 ** 24;

/** The generation that an id is of, from 0. */
export const generationOf = (id: number) => Math.floor((id - 1) / generationIds);

/** Whether a measurer may post in a wave: only those of its own generation are known there. */
export function mayPost(measurerId: number, waveId: number): boolean {
  return generationOf(measurerId) === generationOf(waveId);
}

/**
 * The measurers of a wave: those with the lowest hashes of its first block and their ids, one of each operator. No one
 * knows them before that block.
 */
export function drawMeasurers<Measurer extends Candidate>(
  candidates: readonly Measurer[],
  fillHash: Hex,
  count: number,
): Measurer[] {
  const ranked = candidates
    .map((measurer) => ({ measurer, rank: rankOf(measurer.measurerId, fillHash) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const drawn = new Map<string, Measurer>();
  for (const { measurer } of ranked) {
    if (drawn.size === count) break;
    const operator = measurer.operator.toLowerCase();
    if (!drawn.has(operator)) drawn.set(operator, measurer);
  }
  return [...drawn.values()];
}

function rankOf(measurerId: number, fillHash: Hex): Hex {
  return keccak256(concatHex([stringToHex("ngpu wave measurer"), fillHash, toHex(measurerId, { size: 4 })]));
}
