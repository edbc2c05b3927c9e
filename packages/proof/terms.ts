/*
 * The numbers of the proof of hardware, version 1. docs/proof.md explains them; opencl/kernel.cl repeats those that the
 * device needs.
 */

export const pageBytes = 1_024;
export const blockBytes = 64;
/** Passes of the permutation that makes a page: each is a double round of every row, then of every column. */
export const pagePasses = 20;
/** 32-bit additions, exclusive ors and rotations of one double round. */
export const operationsPerRound = 96;
/** Operations that one page costs, and so each read of memory that is not there. */
export const pageOperations = pagePasses * 32 * operationsPerRound;

export const segmentsPerLeg = 32;
export const readsPerSegment = 128;
export const roundsPerSegment = 4_096;

/** Legs that an audit draws, of each kind. One segment of each is recomputed. */
export const auditedLegs = { chase: 64, work: 32 } as const;

/** Pages of the largest window: 16 GiB. Reads stay in one window for a segment, within reach of a GPU's address cache. */
const mostWindowPages = 2 ** 24;
const chunksPerWindow = 4;
/** A chunk is a multiple of this many pages, so that a work-item may make several. */
const pageMultiple = 16;

export const limits = {
  bytes: { least: 2n ** 22n, most: 2n ** 42n },
  lanes: { least: 16, most: 2 ** 20 },
  legs: { least: 1, most: 2 ** 20 },
  /** Pages of a window for each lane of a chase, at least: all lanes together read a page once a segment. */
  pagesPerLane: readsPerSegment,
  milliseconds: { least: 1, most: 600_000 },
} as const;

/** The two parts of a proof that are timed: dependent reads, and arithmetic. */
export type Kind = "chase" | "work";

/** How a claimed memory is cut. All windows have the same size, and four chunks each. */
export type Layout = {
  windows: number;
  chunkPages: number;
  windowPages: number;
  windowBlocks: number;
  filledBytes: bigint;
};

/**
 * The layout of a claimed size, of which nine tenths are filled; undefined outside the limits. Only tests give another
 * size of windows, to have several of them with little memory.
 */
export function layoutOf(bytes: bigint, windowPages = mostWindowPages): Layout | undefined {
  if (bytes < limits.bytes.least || bytes > limits.bytes.most) return undefined;
  const pages = Number((bytes * 9n) / 10n / BigInt(pageBytes));
  const windows = Math.ceil(pages / windowPages);
  const chunks = windows * chunksPerWindow;
  const chunkPages = Math.floor(pages / (chunks * pageMultiple)) * pageMultiple;
  const blocksPerPage = pageBytes / blockBytes;
  return {
    windows,
    chunkPages,
    windowPages: chunksPerWindow * chunkPages,
    windowBlocks: chunksPerWindow * chunkPages * blocksPerPage,
    filledBytes: BigInt(chunks) * BigInt(chunkPages) * BigInt(pageBytes),
  };
}

/** The window that all lanes read in one segment. They go around, so no window may be absent for long. */
export function windowOf(layout: Layout, leg: number, segment: number): number {
  return (leg * segmentsPerLeg + segment) % layout.windows;
}

/** The most lanes that a chase over this memory may have: a power of two. */
export function mostLanes(layout: Layout): number {
  const bound = Math.min(limits.lanes.most, Math.floor(layout.windowPages / limits.pagesPerLane));
  return 2 ** Math.floor(Math.log2(bound));
}
