import type { Hex } from "viem";

/** Identifies a block. */
export type BlockRef = { number: bigint; hash: Hex };

/** The input of a comparison of stored blocks with an endpoint's chain. */
export type ReconcileFacts = {
  /** Blocks the follower has stored, ascending; gaps are allowed. */
  kept: readonly BlockRef[];
  /** The newest block of the endpoint. */
  head: BlockRef;
  /** The endpoint's block hashes that were read so far, by number. */
  hashes: ReadonlyMap<bigint, Hex>;
};

export type Verdict =
  /** The endpoint's head is the newest kept block. */
  | { type: "same" }
  /** The endpoint's chain extends the newest kept block (null: none is kept). */
  | { type: "extend"; tip: BlockRef | null }
  /** The endpoint's chain matches, but ends `by` blocks before the newest kept block. */
  | { type: "behind"; by: bigint }
  /** Kept blocks above `ancestor` are not on the endpoint's chain. `shorter`: it ends before the newest kept block. */
  | { type: "reorg"; ancestor: BlockRef; depth: bigint; shorter: boolean }
  /** No kept block is on the endpoint's chain. Older blocks are needed to find the ancestor. */
  | { type: "deeper"; oldest: BlockRef; shorter: boolean }
  /** Undecided until the endpoint's hash at `number` is known. */
  | { type: "readHash"; number: bigint };

/**
 * Compares kept blocks with an endpoint's chain. It needs few hashes: the newest first, then in doubling steps back,
 * then by binary search. If a block is on the chain, every kept block below it is too.
 */
export function reconcile(facts: ReconcileFacts): Verdict {
  const { kept, head } = facts;
  const tip = kept.at(-1);
  const oldest = kept[0];
  if (tip === undefined || oldest === undefined) return { type: "extend", tip: null };
  const { on, off, contradicted } = search(facts);
  if (off - on > 1)
    return { type: "readHash", number: (kept[nextProbe(on, off, kept.length)] ?? tip).number };
  const shorter = head.number < tip.number;
  if (on === kept.length - 1) return head.number === tip.number ? { type: "same" } : { type: "extend", tip };
  if (!contradicted) return { type: "behind", by: tip.number - head.number };
  const ancestor = kept[on];
  if (ancestor === undefined) return { type: "deeper", oldest, shorter };
  return { type: "reorg", ancestor, depth: tip.number - ancestor.number, shorter };
}

/** The highest index known to be on the chain, the lowest known to be off it, and whether a hash differs. */
function search({ kept, head, hashes }: ReconcileFacts): { on: number; off: number; contradicted: boolean } {
  let on = -1;
  let off = kept.length;
  let contradicted = false;
  for (let index = kept.length - 1; index >= 0 && on < 0; index--) {
    const block = kept[index] as BlockRef;
    if (block.number > head.number) {
      off = index;
      continue;
    }
    const hash = block.number === head.number ? head.hash : hashes.get(block.number);
    if (hash === undefined) continue;
    if (hash === block.hash) on = index;
    else {
      off = index;
      contradicted = true;
    }
  }
  return { on, off, contradicted };
}

function nextProbe(on: number, off: number, length: number): number {
  if (on >= 0) return Math.floor((on + off) / 2);
  // No block is known to be on the chain: double the distance from the newest block.
  return Math.max(0, off - Math.max(1, length - off));
}
