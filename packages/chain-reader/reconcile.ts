import type { Hex } from "viem";

/** A block by what identifies it. */
export type BlockRef = { number: bigint; hash: Hex };

/** What a follower knows when it compares the blocks it keeps with an endpoint's chain. */
export type ReconcileFacts = {
  /** Blocks the follower has stored, ascending; gaps are allowed. */
  kept: readonly BlockRef[];
  /** The newest block the endpoint speaks of. */
  head: BlockRef;
  /** The endpoint's hash at numbers it was asked about. */
  answers: ReadonlyMap<bigint, Hex>;
};

export type Verdict =
  /** The endpoint's head is the newest kept block. */
  | { type: "same" }
  /** The newest kept block (null: none is kept) is on the endpoint's chain, which goes on after it. */
  | { type: "extend"; tip: BlockRef | null }
  /** The endpoint contradicts nothing; it has not seen the newest `by` blocks, or has dropped them. */
  | { type: "behind"; by: bigint }
  /** Blocks above `ancestor` are no longer on the chain; `shorter` when the new chain is not as high yet. */
  | { type: "reorg"; ancestor: BlockRef; depth: bigint; shorter: boolean }
  /** Not even the oldest kept block is on the endpoint's chain: older ones are needed to find the ancestor. */
  | { type: "deeper"; oldest: BlockRef; shorter: boolean }
  /** Undecided until the endpoint's hash at `number` is known. */
  | { type: "ask"; number: bigint };

/**
 * Compares kept blocks with an endpoint's chain. Asks for as few hashes as it can: the newest first, then ever larger
 * steps back, then halves, since below a block that is on the chain every kept block is.
 */
export function reconcile(facts: ReconcileFacts): Verdict {
  const { kept, head } = facts;
  const tip = kept.at(-1);
  const oldest = kept[0];
  if (tip === undefined || oldest === undefined) return { type: "extend", tip: null };
  const { on, off, contradicted } = search(facts);
  if (off - on > 1) return { type: "ask", number: (kept[nextProbe(on, off, kept.length)] ?? tip).number };
  const shorter = head.number < tip.number;
  if (on === kept.length - 1) return head.number === tip.number ? { type: "same" } : { type: "extend", tip };
  if (!contradicted) return { type: "behind", by: tip.number - head.number };
  const ancestor = kept[on];
  if (ancestor === undefined) return { type: "deeper", oldest, shorter };
  return { type: "reorg", ancestor, depth: tip.number - ancestor.number, shorter };
}

/** The highest index known to be on the chain, the lowest known to be off it, and whether a hash says so. */
function search({ kept, head, answers }: ReconcileFacts): { on: number; off: number; contradicted: boolean } {
  let on = -1;
  let off = kept.length;
  let contradicted = false;
  for (let index = kept.length - 1; index >= 0 && on < 0; index--) {
    const block = kept[index] as BlockRef;
    if (block.number > head.number) {
      off = index;
      continue;
    }
    const hash = block.number === head.number ? head.hash : answers.get(block.number);
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
  // Nothing is known to be on the chain: step back twice as far as what is known to be off it reaches.
  return Math.max(0, off - Math.max(1, length - off));
}
