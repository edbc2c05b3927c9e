import { operationsLimitOf } from "@ngpu/proof/hardware";
import { isHeld, provenBytes, type Sharing, sharingOf } from "@ngpu/proof/proven";
import { type Layout, layoutOf, mostLanes, readsPerSegment } from "@ngpu/proof/terms";
import type { Device } from "./devices.ts";

/** Lanes of a GPU's prover: 512 for each of about 128 units. A CPU has 256 a core. */
const gpuLanes = 2 ** 16;
const cpuLanes = 256;
/** Share of the claimed bytes that is filled. */
const filledShare = 0.9;

/** What is claimed of a device's memory, and what the verifier's rules make of it. */
export type Claimed = {
  bytes: bigint;
  filledBytes: number;
  /** Operations that the declared hardware is limited to. */
  operationsLimit: bigint;
  sharing: Sharing;
  /** Reads that a made-up page serves: with several windows, all of one segment that fall on it (docs/proof.md). */
  readsOfPage: number;
};

/** What a box gives to one claim in a wave, each a share of a device. */
export type Given = {
  /** Bytes of pages that are in memory. */
  heldBytes: number;
  readsPerSecond: number;
  pagesPerSecond: number;
  /** Pages that come from a disk. */
  diskPagesPerSecond?: number;
  /** Time of the chase that the node has of the time between the blocks. */
  seconds: number;
};

/** The claim of so many bytes of a device, under its own name. */
export function claimedOf({ hardware }: Device, size: number): Claimed {
  const bytes = BigInt(Math.floor(size));
  const layout = layoutOf(bytes);
  if (layout === undefined) throw new RangeError(`No memory of ${bytes} bytes can be claimed.`);
  const wanted = hardware.kind === "gpu" ? gpuLanes : cpuLanes * hardware.cores;
  const lanes = Math.min(mostLanes(layout), wanted);
  return {
    bytes,
    filledBytes: size * filledShare,
    operationsLimit: operationsLimitOf(hardware),
    sharing: sharingOf(layout, lanes),
    readsOfPage: readsOfPage(layout, lanes),
  };
}

/**
 * Reads that fit into the time. A read of a page in memory takes of the memory's rate, and any other of the rate at which
 * pages are made or come from a disk; the two go on at once.
 */
export function readsOf(given: Given, { filledBytes, readsOfPage }: Claimed): number {
  const { heldBytes, readsPerSecond, pagesPerSecond, diskPagesPerSecond = 0, seconds } = given;
  const absent = Math.max(0, 1 - heldBytes / filledBytes);
  const held = absent >= 1 ? Number.POSITIVE_INFINITY : readsPerSecond / (1 - absent);
  const pages = pagesPerSecond * readsOfPage + diskPagesPerSecond;
  const made = absent === 0 ? Number.POSITIVE_INFINITY : pages / absent;
  return Math.floor(Math.max(0, seconds) * Math.min(held, made));
}

/** Bytes that an audited chase with so many reads proves, by the verifier's own rule. */
export function provenOf(claimed: Claimed, reads: number, milliseconds: number): bigint {
  if (reads === 0) return 0n;
  return provenBytes({ ...claimed, reads: BigInt(reads), milliseconds });
}

/** Whether the verifier accepts it. */
export function holds({ bytes }: Claimed, proven: bigint): boolean {
  return isHeld(bytes, proven);
}

function readsOfPage(layout: Layout, lanes: number): number {
  if (layout.windows === 1) return 1;
  const reads = (readsPerSegment * lanes) / layout.windowPages;
  return reads / (1 - Math.exp(-reads));
}
