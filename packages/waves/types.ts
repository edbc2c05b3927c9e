import type { Proven } from "@ngpu/proof/proven";

/** A device of a node: its place in the node's list. */
export type DeviceRef = { nodeId: number; device: number };

/** What a node's key signed for one device. It counts in waves that begin after its block. */
export type DeviceClaim = DeviceRef & { figures: Proven };

/**
 * How much of each claimed figure a wave proved, in 255ths, rounded down. 255 is all that was claimed, and more counts as
 * 255.
 */
export type Shares = { memory: number; bandwidth: number; arithmetic: number };

/**
 * What one measurer states about a wave: the devices that proved less than they claimed, by `keyOf`. All others proved
 * what they claimed.
 */
export type Statement = { measurerId: number; operator: string; exceptions: ReadonlyMap<string, Shares> };

/** A claim, with what the chain says about its node at the wave's first block. */
export type Challenged = DeviceClaim & {
  /** The account that the node pays to. Its own measurers do not judge it. */
  operator: string;
  /** Whether a tenant has the device, so that it need not answer. */
  leased: boolean;
};

/**
 * How a device came out of a wave that is held. `kept`: a tenant had its node and it did not answer. `undecided`: more
 * measurers than the spare ones state that it passed, others do not, and no evidence was given. Neither counts for or against it.
 */
export type DeviceVerdict = DeviceRef & {
  outcome: "passed" | "failed" | "kept" | "undecided";
  /** What the measurers state, or the evidence shows. */
  shares: Shares;
  /** What is proven: the shares of the claim. */
  proven: Proven;
  /** Some measurer states more than counts, and no evidence was given. */
  contested: boolean;
  /** Measurers whose statements counted. */
  measurers: number[];
};

/** The verdict on a wave. One without a verdict is not held: it ages nothing, and counts for and against no one. */
export type WaveVerdict =
  | { held: true; devices: DeviceVerdict[] }
  | { held: false; reason: "measurers_missing" | "loss" | "nothing_claimed"; devices: DeviceVerdict[] };

/** A decoded log, in the chain's order. */
export type WaveLog = { contract: string; name: string; args: Record<string, unknown>; block: bigint };

/** Names a device in maps. */
export function keyOf({ nodeId, device }: DeviceRef): string {
  return `${nodeId}/${device}`;
}
