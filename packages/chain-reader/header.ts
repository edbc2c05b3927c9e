import { type Hex, hexToBigInt } from "viem";
import { hashOf, hexOf, parseAnswer } from "./parse.ts";
import type { BlockRef } from "./reconcile.ts";

/** What is read of a block's header. */
export type Header = BlockRef & {
  parentHash: Hex;
  /** Unix seconds. */
  timestamp: bigint;
  logsBloom: Hex;
};

/** A block's header as an endpoint gives it. @throws RetryableError `rpc_malformed` */
export function headerOf(block: unknown): Header {
  return parseAnswer(() => {
    const fields = block as Record<string, unknown>;
    return {
      number: hexToBigInt(hexOf(fields.number)),
      hash: hashOf(fields.hash),
      parentHash: hashOf(fields.parentHash),
      timestamp: hexToBigInt(hexOf(fields.timestamp)),
      logsBloom: hexOf(fields.logsBloom),
    };
  });
}
