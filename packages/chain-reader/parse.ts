import { RetryableError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";

export function hexOf(value: unknown): Hex {
  if (typeof value !== "string" || !value.startsWith("0x")) throw new TypeError("not hexadecimal");
  return value as Hex;
}

export function hashOf(value: unknown): Hex {
  const hash = hexOf(value);
  if (hash.length !== 66) throw new TypeError("not 32 bytes");
  return hash.toLowerCase() as Hex;
}

/**
 * Parses a response.
 *
 * @throws RetryableError `rpc_response_invalid` if `read` throws: the response may be truncated, so a retry can succeed.
 */
export function parseResponse<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new RetryableError("The endpoint's response has a missing or invalid field.", {
      code: "rpc_response_invalid",
      hint: "Use an endpoint that follows the Ethereum JSON-RPC specification.",
      cause: error,
    });
  }
}
