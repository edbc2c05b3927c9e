import { waveTerms } from "@ngpu/contracts-sdk/deployment";
import type { Proven } from "@ngpu/proof/proven";
import type { WaveTerms } from "../schedule.ts";
import { type Claimed, claimedOf, type Given } from "./chase.ts";
import type { Device } from "./devices.ts";
import type { Machine } from "./fleet.ts";

/** A claim as a node's key signs it, and its device. */
export type SimulatedClaim = { device: Device; claimed: Claimed; figures: Proven };

/** What a box gives to one claim in a wave, before delays and other work. Undefined: the node does not answer for it. */
export type Effort = Omit<Given, "seconds"> & { operationsPerSecond: number };

/** A name on the market. Several may stand on one box. */
export type SimulatedNode = { nodeId: number; claims: SimulatedClaim[] };

/** A machine with all names that it answers for. */
export type Box = {
  kind: string;
  nodes: SimulatedNode[];
  /** Memory of its devices. */
  memoryBytes: number;
  /** The effort for each claim, by node and place, in a wave. */
  plan: (wave: number) => Effort[][];
  /** Whether a tenant has a claim's device in a wave: it need not answer. */
  isLeased?: (nodeId: number, wave: number) => boolean;
};

/** The terms of a market that sets no other ones. A block is two seconds. */
export const terms: WaveTerms = waveTerms.parse({});
export const blockSeconds = 2;

/**
 * Seconds before the last block of a part at which a node sends its answer: a block for the answer's way, and one in
 * which the measurers' transactions are included.
 */
export const guardSeconds = 4;
/** Seconds before that block at which a measurer closes its batch. */
export const closeSeconds = 2;
/** Seconds of a part that an honest node plans for the seed's way. */
const plannedDelay = 1;
/** Share of what it reached that an honest node claims of bandwidth and arithmetic. */
const cautious = 0.9;

export function secondsOf(blocks: number): number {
  return blocks * blockSeconds;
}

/** Share of a part's time that an honest node computes. */
function usedShare(blocks: number): number {
  return Math.max(0, 1 - (guardSeconds + plannedDelay) / secondsOf(blocks));
}

/** The claim that an honest node signs: what it fills in time, and rates that it reached before. */
export function honestClaim(device: Device, { fillBlocks, chaseBlocks, workBlocks }: WaveTerms = terms) {
  const fillable = (device.filledPerSecond * secondsOf(fillBlocks) * 0.75) / 0.9;
  const bytes = Math.min(device.memoryBytes, fillable);
  return claimOf(device, bytes, {
    bandwidth: cautious * usedShare(chaseBlocks),
    arithmetic: cautious * usedShare(workBlocks),
  });
}

/** A claim of a device with these bytes, and shares of its rates. */
export function claimOf(
  device: Device,
  bytes: number,
  of: { bandwidth: number; arithmetic: number },
): SimulatedClaim {
  const claimed = claimedOf(device, bytes);
  const figures: Proven = {
    bytes: claimed.bytes,
    bytesPerSecond: BigInt(Math.floor(device.readsPerSecond * 64 * of.bandwidth)),
    operationsPerSecond: BigInt(Math.floor(device.operationsPerSecond * of.arithmetic)),
  };
  return { device, claimed, figures };
}

/** All that a device has, for one claim. */
export function wholeEffort({ device, claimed }: SimulatedClaim): Effort {
  return {
    heldBytes: Math.min(device.memoryBytes, claimed.filledBytes),
    readsPerSecond: device.readsPerSecond,
    pagesPerSecond: 0,
    operationsPerSecond: device.operationsPerSecond,
  };
}

/** An honest machine under one name. */
export function honestBox(nodeId: number, { kind, devices }: Machine, of: WaveTerms = terms): Box {
  const claims = devices.map((device) => honestClaim(device, of));
  const efforts = claims.map(wholeEffort);
  const memoryBytes = devices.reduce((sum, device) => sum + device.memoryBytes, 0);
  return { kind, nodes: [{ nodeId, claims }], memoryBytes, plan: () => [efforts] };
}
