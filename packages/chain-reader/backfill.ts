import { RetryableError } from "@ngpu/runtime/errors";
import { blocksByRange, type FollowedBlock, loggedBlocksByRange } from "./blocks.ts";
import type { CompletenessSource } from "./completeness.ts";
import { maxLogs } from "./followSteps.ts";
import type { BlockRef } from "./reconcile.ts";

/** The options that a backfill uses; PollOptions documents them. */
export type BackfillOptions = CompletenessSource & {
  headers?: "all" | "logged";
  maxRange?: bigint;
  ahead?: number;
};

/** The state of reading blocks far behind the head, range by range. */
export type Backfill = {
  /** Number of blocks in the next range. */
  range: bigint;
  /** The largest range that the endpoint is believed to serve, and the number of ranges that it served since that was learned. */
  served: { largest: bigint; ranges: number } | undefined;
  /** Ranges that are being read, in order. */
  ahead: { first: bigint; to: bigint; blocks: Promise<FollowedBlock[]> }[];
};

const maxBlocks = 2_000n;
// Blocks in the first range, while their number of logs is unknown.
const firstRange = 64n;

export function startBackfill({ maxRange = maxBlocks }: BackfillOptions): Backfill {
  return { range: smaller(maxRange, firstRange), served: undefined, ahead: [] };
}

// After this many ranges a larger one is tried again: the endpoint may be another one, or the blocks have fewer logs.
const rangesBeforeLarger = 100;

/**
 * Reads the next range and prefetches the following ones. The size of a range adapts to the number of logs and to
 * errors of the endpoint.
 *
 * @param bounds `tip` is the newest stored block; the range begins at `first` and ends at `last` or before.
 * @throws RetryableError if a request fails; the next range is half the size.
 */
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
    else if (logs < maxLogs / 2) backfill.range = smaller(largestOf(options, backfill), backfill.range * 2n);
    return blocks;
  } catch (error) {
    // Some endpoints call a range that is too large by other names, so any error halves the range.
    backfill.range = atLeastOne(backfill.range / 2n);
    const isLimit = error instanceof RetryableError && error.code === "rpc_limit";
    if (isLimit) backfill.served = { largest: backfill.range, ranges: 0 };
    backfill.ahead = [];
    throw error;
  }
}

/** The largest range to read, without one that the endpoint has just refused. */
function largestOf({ maxRange = maxBlocks }: BackfillOptions, backfill: Backfill): bigint {
  const { served } = backfill;
  if (served === undefined) return maxRange;
  served.ranges += 1;
  if (served.ranges >= rangesBeforeLarger) backfill.served = undefined;
  return smaller(maxRange, served.largest);
}

function readAhead(
  options: BackfillOptions,
  backfill: Backfill,
  { tip, first, last }: { tip: BlockRef | null; first: bigint; last: bigint },
): void {
  const logged = options.headers === "logged";
  // Discard ranges read before a reorg, or for blocks that were read in another way since.
  if (backfill.ahead[0]?.first !== first || (backfill.ahead.at(-1)?.to ?? 0n) > last) backfill.ahead = [];
  while (backfill.ahead.length <= (logged ? 0 : (options.ahead ?? 2))) {
    const from = (backfill.ahead.at(-1)?.to ?? first - 1n) + 1n;
    if (from > last) return;
    const to = smaller(from + backfill.range - 1n, last);
    const blocks = logged ? loggedBlocksByRange(options, from, to, tip) : blocksByRange(options, from, to);
    // The error is handled when this range is taken, if it is.
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
