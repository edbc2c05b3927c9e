import { type Hex, hexToBigInt } from "viem";
import { hashOf, hexOf, parseResponse } from "./parse.ts";
import type { BlockRef } from "./reconcile.ts";

/** The fields that are read of a block's header. */
export type Header = BlockRef & {
  parentHash: Hex;
  /** Unix seconds. */
  timestamp: bigint;
  logsBloom: Hex;
};

/** Parses the header of a block in an RPC response. @throws RetryableError `rpc_response_invalid` */
export function headerOf(block: unknown): Header {
  return parseResponse(() => {
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
