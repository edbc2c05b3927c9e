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

/** An answer that lacks a part, or has one of the wrong kind, was cut short: asking again may help. */
export function parseAnswer<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new RetryableError("The endpoint's answer is not parseAnswer.", {
      code: "rpc_malformed",
      cause: error,
    });
  }
}
