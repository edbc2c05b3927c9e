import type { Hex } from "viem";
import type { BlockRef } from "./reconcile.ts";

/** What is read of a block's header. */
export type Header = BlockRef & {
  parentHash: Hex;
  /** Unix seconds. */
  timestamp: bigint;
  logsBloom: Hex;
};
