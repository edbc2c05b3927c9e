import { blocksByRange, type FollowedBlock, loggedBlocksByRange } from "./blocks.ts";
import type { CompletenessSource } from "./completeness.ts";
import { maxLogs } from "./followSteps.ts";
import type { BlockRef } from "./reconcile.ts";

/** Part of what `follow` is given, where it is described. */
export type BackfillOptions = CompletenessSource & {
  headers?: "all" | "logged";
  maxRange?: bigint;
  ahead?: number;
};

/** A long way to the head, gone in stretches. */
export type Backfill = {
  /** Blocks in the next stretch. */
  range: bigint;
  /** Stretches that are being read, in order. */
  ahead: { first: bigint; to: bigint; blocks: Promise<FollowedBlock[]> }[];
};

const maxBlocks = 2_000n;
// Blocks in the first stretch, before it is known how many logs they have.
const firstRange = 64n;

export function startBackfill({ maxRange = maxBlocks }: BackfillOptions): Backfill {
  return { range: smaller(maxRange, firstRange), ahead: [] };
}

/** Blocks of a range whose size follows what the endpoint bears; the next ones are asked for meanwhile. */
export async function readNextRange(
  options: BackfillOptions,
  backfill: Backfill,
  bounds: { tip: BlockRef | null; first: bigint; last: bigint },
): Promise<FollowedBlock[]> {
  readAhead(options, backfill, bounds);
  try {
    const blocks = (await backfill.ahead.shift()?.blocks) ?? [];
    const logs = blocks.reduce((sum, block) => sum + block.logs.length, 0);
    if (logs > maxLogs) backfill.range = atLeastOne(backfill.range / 2n);
    else if (logs < maxLogs / 2) backfill.range = smaller(options.maxRange ?? maxBlocks, backfill.range * 2n);
    return blocks;
  } catch (error) {
    // Whatever the fault, fewer blocks are easier; no code tells "range too large" the same way everywhere.
    backfill.range = atLeastOne(backfill.range / 2n);
    backfill.ahead = [];
    throw error;
  }
}

function readAhead(
  options: BackfillOptions,
  backfill: Backfill,
  { tip, first, last }: { tip: BlockRef | null; first: bigint; last: bigint },
): void {
  const logged = options.headers === "logged";
  // Read for another way: before a reorg, or for blocks that have been read otherwise since.
  if (backfill.ahead[0]?.first !== first || (backfill.ahead.at(-1)?.to ?? 0n) > last) backfill.ahead = [];
  while (backfill.ahead.length <= (logged ? 0 : (options.ahead ?? 2))) {
    const from = (backfill.ahead.at(-1)?.to ?? first - 1n) + 1n;
    if (from > last) return;
    const to = smaller(from + backfill.range - 1n, last);
    const blocks = logged ? loggedBlocksByRange(options, from, to, tip) : blocksByRange(options, from, to);
    // Its fault is met when its turn comes, if it comes.
    blocks.catch(() => undefined);
    backfill.ahead.push({ first: from, to, blocks });
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function atLeastOne(value: bigint): bigint {
  return value < 1n ? 1n : value;
}
