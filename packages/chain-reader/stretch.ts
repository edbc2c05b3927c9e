import { blocksByRange, type FollowedBlock, loggedBlocksByRange } from "./blocks.ts";
import type { CompletenessSource } from "./completeness.ts";
import type { BlockRef } from "./reconcile.ts";
import { mostLogs } from "./steps.ts";

/** Part of what `follow` is given, where it is described. */
export type WayOptions = CompletenessSource & {
  headers?: "all" | "logged";
  maxRange?: bigint;
  ahead?: number;
};

/** A long way to the head, gone in stretches. */
export type Way = {
  /** Blocks in the next stretch. */
  range: bigint;
  /** Stretches that are being read, in order. */
  ahead: { first: bigint; to: bigint; blocks: Promise<FollowedBlock[]> }[];
};

const mostBlocks = 2_000n;
// Blocks in the first stretch, before it is known how many logs they have.
const firstRange = 64n;

export function startWay({ maxRange = mostBlocks }: WayOptions): Way {
  return { range: smaller(maxRange, firstRange), ahead: [] };
}

/** Blocks of a range whose size follows what the endpoint bears; the next ones are asked for meanwhile. */
export async function stretch(
  options: WayOptions,
  way: Way,
  bounds: { tip: BlockRef | null; first: bigint; last: bigint },
): Promise<FollowedBlock[]> {
  askAhead(options, way, bounds);
  try {
    const blocks = (await way.ahead.shift()?.blocks) ?? [];
    const logs = blocks.reduce((sum, block) => sum + block.logs.length, 0);
    if (logs > mostLogs) way.range = atLeastOne(way.range / 2n);
    else if (logs < mostLogs / 2) way.range = smaller(options.maxRange ?? mostBlocks, way.range * 2n);
    return blocks;
  } catch (error) {
    // Whatever the fault, fewer blocks are easier; no code tells "range too large" the same way everywhere.
    way.range = atLeastOne(way.range / 2n);
    way.ahead = [];
    throw error;
  }
}

function askAhead(
  options: WayOptions,
  way: Way,
  { tip, first, last }: { tip: BlockRef | null; first: bigint; last: bigint },
): void {
  const logged = options.headers === "logged";
  // Read for another way: before a reorg, or for blocks that have been read otherwise since.
  if (way.ahead[0]?.first !== first || (way.ahead.at(-1)?.to ?? 0n) > last) way.ahead = [];
  while (way.ahead.length <= (logged ? 0 : (options.ahead ?? 2))) {
    const from = (way.ahead.at(-1)?.to ?? first - 1n) + 1n;
    if (from > last) return;
    const to = smaller(from + way.range - 1n, last);
    const blocks = logged ? loggedBlocksByRange(options, from, to, tip) : blocksByRange(options, from, to);
    // Its fault is met when its turn comes, if it comes.
    blocks.catch(() => undefined);
    way.ahead.push({ first: from, to, blocks });
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function atLeastOne(value: bigint): bigint {
  return value < 1n ? 1n : value;
}
