import { concatHex, type Hex, keccak256, stringToHex } from "viem";

/** The terms of ProofWaves, fixed at its deployment. Durations are blocks. */
export type WaveTerms = {
  /** Blocks whose number is a multiple of this may begin a wave. */
  stride: number;
  /** One in so many of them does. */
  chance: number;
  fillBlocks: number;
  chaseBlocks: number;
  workBlocks: number;
  commitBlocks: number;
  revealBlocks: number;
};

/** A wave's blocks. Its first block is `fill`. */
export type WaveBlocks = {
  fill: number;
  /** Gives the seed of the chase. The wave is opened at the latest in this block. */
  chase: number;
  /** Gives the seed of the work. The last block that may include roots of the chase. */
  work: number;
  /** The last block that may include roots of answers. */
  answered: number;
  /** Gives the seed of the audit. */
  audit: number;
  /** The last block that may include commitments to results. */
  committed: number;
  /** The last block that may include revealed results. */
  revealed: number;
};

/** What a measurer posts, in this order. The number is the contract's. */
export const stages = { chase: 0, answers: 1, results: 2 } as const;
export type Stage = keyof typeof stages;

/** The blocks of the wave that begins at block `fill`. */
export function blocksOf(fill: number, terms: WaveTerms): WaveBlocks {
  const chase = fill + terms.fillBlocks;
  const work = chase + terms.chaseBlocks;
  const answered = work + terms.workBlocks;
  const audit = answered + 1;
  const committed = audit + terms.commitBlocks;
  return { fill, chase, work, answered, audit, committed, revealed: committed + terms.revealBlocks };
}

/** The first and the last block that may include what a measurer posts in a stage. */
export function windowOf(stage: Stage | "reveal", blocks: WaveBlocks): { first: number; last: number } {
  switch (stage) {
    case "chase":
      return { first: blocks.chase + 1, last: blocks.work };
    case "answers":
      return { first: blocks.work + 1, last: blocks.answered };
    case "results":
      return { first: blocks.audit + 1, last: blocks.committed };
    case "reveal":
      return { first: blocks.committed + 1, last: blocks.revealed };
  }
}

/**
 * Whether a wave begins at a block. Each block decides for itself, so no one knows a wave before its first block, and the
 * time since the last wave says nothing about the next.
 */
export function beginsAt(block: { number: number; hash: Hex }, { stride, chance }: WaveTerms): boolean {
  if (block.number % stride !== 0) return false;
  return BigInt(keccak256(concatHex([stringToHex("ngpu wave"), block.hash]))) % BigInt(chance) === 0n;
}

/** Blocks over which the time between two is averaged. */
export const averagedBlocks = 100;
/** Milliseconds of a block of the chains that ngpu is made for, where no two blocks tell. */
const usualBlockMs = 2_000;

/** Milliseconds between two blocks, from the first and the last of a range. @param time Unix seconds. */
export function blockTime(
  first: { number: number; time: number } | undefined,
  last: { number: number; time: number } | undefined,
): number {
  if (first === undefined || last === undefined || last.number === first.number) return usualBlockMs;
  return Math.max(1, Math.round((1_000 * (last.time - first.time)) / (last.number - first.number)));
}

/** The first block after a wave at which the next one may begin: waves do not overlap until their audit. */
export function nextAfter(blocks: WaveBlocks): number {
  return blocks.audit + 1;
}
