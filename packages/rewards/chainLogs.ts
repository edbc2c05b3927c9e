import type { HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import type { Hex } from "viem";

/** A decoded log of one of the market's contracts. `time` is its block's, Unix seconds; the generation is the contract's. */
export type ChainLog = {
  contract: string;
  generation: number;
  name: string;
  args: Record<string, unknown>;
  block: bigint;
  logIndex: number;
  time: number;
};

/** The events that rewards depend on, by contract. */
export const rewardEvents = {
  ComputeNode: [
    "NodeRegistered",
    "NodeSpecUpdated",
    "NodeStatusChanged",
    "NodeWalletSet",
    "NodeKeySet",
    "HeartbeatsCommitted",
    "HeartbeatsDisputed",
    "PresenceChallenged",
  ],
  Measure: ["MeasurerRegistered", "MeasureSubmitted", "MeasureFinalized"],
  Escrow: ["Authorized", "LeaseOpened", "Settled", "Refunded", "Collected"],
  Pomc: ["TermsSet", "ReceiptsCommitted", "EpochPosted", "EpochDisabled"],
} as const;

const online = 1;
const encodings = ["bitmap", "absentees"] as const;

export const number = (value: unknown) => Number(value);
export const amount = (value: unknown) => BigInt(value as bigint | number | string);
export const text = (value: unknown) => String(value).toLowerCase();

const none = `0x${"0".repeat(40)}`;

/** A wallet; null for the zero address. */
export const walletOf = (value: unknown) => (text(value) === none ? null : text(value));

/** Whether a log reached the chain by a block. */
export const by = (block: bigint) => (log: ChainLog) => log.block <= block;

export function heartbeatsOf({ args }: ChainLog): HeartbeatBits & { slot: number } {
  return {
    slot: number(args.slot),
    encoding: encodings[number(args.encoding)] ?? "bitmap",
    nodeCount: number(args.nodeCount),
    bits: text(args.bits) as Hex,
  };
}

export const isOnline = (value: unknown) => number(value) === online;
