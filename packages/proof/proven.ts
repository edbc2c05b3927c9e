import {
  blockBytes,
  type Kind,
  type Layout,
  operationsPerRound,
  pageOperations,
  readsPerSegment,
  roundsPerSegment,
  segmentsPerLeg,
} from "./terms.ts";

/** What a device has proven: memory, bytes a second of random reads, and 32-bit operations a second. */
export type Proven = { bytes: bigint; bytesPerSecond: bigint; operationsPerSecond: bigint };

type Committed = { lanes: number; legs: number };

/** Share of the declared memory that a proof must show, in percent. Less refuses the proof. */
const leastHeldPercent = 80n;

/** Dependent reads that a chase committed to. */
export function readsOf({ lanes, legs }: Committed): bigint {
  return BigInt(lanes) * BigInt(legs) * BigInt(segmentsPerLeg * readsPerSegment);
}

/** Operations that a part of arithmetic committed to. */
export function operationsOf({ lanes, legs }: Committed): bigint {
  return BigInt(lanes) * BigInt(legs) * BigInt(segmentsPerLeg * roundsPerSegment * operationsPerRound);
}

/**
 * The declared memory that must have been there. A read of an absent page costs `pageOperations`, and no program does
 * more than `operationsLimit` of them a second; all other reads found their page. A lane reads every page equally
 * often, so the share of reads that may have been made up bounds the share of memory that may be absent.
 */
export function provenBytes(given: {
  bytes: bigint;
  reads: bigint;
  milliseconds: number;
  operationsLimit: bigint;
  sharing?: Sharing;
}): bigint {
  const { bytes, reads, milliseconds, operationsLimit, sharing = { reads: 1n, pages: 1n } } = given;
  const pages = (operationsLimit * BigInt(milliseconds)) / (1_000n * BigInt(pageOperations));
  const madeUp = (pages * sharing.reads) / sharing.pages;
  if (madeUp >= reads) return 0n;
  return (bytes * (reads - madeUp)) / reads;
}

/** Reads that a number of made-up pages serves at most. */
export type Sharing = { reads: bigint; pages: bigint };

/**
 * With several windows, a page that is made up may serve all reads of one segment. These are x = lanes × 128 / pages for
 * each page, and x / (1 − e⁻ˣ) for each page that is read at all, which is below 1 + 7x/12 up to x = 1. With one window,
 * keeping a page is holding it.
 */
export function sharingOf({ windows, windowPages }: Layout, lanes: number): Sharing {
  if (windows === 1) return { reads: 1n, pages: 1n };
  const pages = 12n * BigInt(windowPages);
  return { reads: pages + 7n * BigInt(readsPerSegment) * BigInt(lanes), pages };
}

/** Whether a proof shows enough of the declared memory to count. */
export function isHeld(bytes: bigint, proven: bigint): boolean {
  return proven * 100n >= bytes * leastHeldPercent;
}

/** The figures of an answer whose audit has passed. */
export function provenOf(given: {
  bytes: bigint;
  layout: Layout;
  answer: Record<Kind, Committed>;
  milliseconds: Record<Kind, number>;
  operationsLimit: bigint;
}): Proven {
  const { bytes, layout, answer, milliseconds, operationsLimit } = given;
  const reads = readsOf(answer.chase);
  const sharing = sharingOf(layout, answer.chase.lanes);
  return {
    bytes: provenBytes({ bytes, reads, milliseconds: milliseconds.chase, operationsLimit, sharing }),
    bytesPerSecond: (reads * BigInt(blockBytes) * 1_000n) / BigInt(milliseconds.chase),
    operationsPerSecond: (operationsOf(answer.work) * 1_000n) / BigInt(milliseconds.work),
  };
}

/** What counts of a device: of each figure the smaller of declared and proven. Without a proof nothing counts. */
export function countedOf(declared: Proven, proven: Proven | undefined): Proven {
  if (proven === undefined) return { bytes: 0n, bytesPerSecond: 0n, operationsPerSecond: 0n };
  return {
    bytes: smaller(declared.bytes, proven.bytes),
    bytesPerSecond: smaller(declared.bytesPerSecond, proven.bytesPerSecond),
    operationsPerSecond: smaller(declared.operationsPerSecond, proven.operationsPerSecond),
  };
}

/** The figure of several waves that counts: the median, the lower one of an even number. Undefined without a wave. */
export function medianOf(figures: readonly bigint[]): bigint | undefined {
  const sorted = [...figures].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** What a device's units are counted in: GiB, GB/s and Gop/s, each in thousandths so that they stay integers. */
export type Units = { memory: bigint; bandwidth: bigint; arithmetic: bigint };

export function unitsOf({ bytes, bytesPerSecond, operationsPerSecond }: Proven): Units {
  return {
    memory: (bytes * 1_000n) / 2n ** 30n,
    bandwidth: bytesPerSecond / 1_000_000n,
    arithmetic: operationsPerSecond / 1_000_000n,
  };
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
