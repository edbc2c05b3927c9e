import type { ChainClient } from "@ngpu/chain-reader/client";
import { type ChainReason, decodeReason } from "@ngpu/contracts-sdk/abis";
import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import {
  type Address,
  BaseError,
  ExecutionRevertedError,
  type Hex,
  InsufficientFundsError,
  isHex,
  type TransactionReceipt,
} from "viem";

/** The revert data of an error, or undefined if the error is not a revert. */
export function revertDataOf(error: unknown): Hex | undefined {
  if (!(error instanceof BaseError)) return undefined;
  let found: Hex | undefined;
  error.walk((cause) => {
    found ??= dataOf(cause);
    return false;
  });
  if (found !== undefined) return found;
  return error.walk((cause) => cause instanceof ExecutionRevertedError) === null ? undefined : "0x";
}

// Some endpoints wrap the data in another object.
function dataOf(cause: unknown): Hex | undefined {
  if (typeof cause !== "object" || cause === null || !("data" in cause)) return undefined;
  const { data } = cause;
  if (isHex(data)) return data;
  return typeof data === "object" && data !== null && "data" in data && isHex(data.data)
    ? data.data
    : undefined;
}

/** The FatalError `transaction_reverted` for a decoded revert reason. */
export function refusalError(
  kind: string,
  reason: ChainReason,
  details: Record<string, unknown> = {},
): FatalError {
  return new FatalError(`The contract refused ${kind}: ${reason.text}`, {
    code: "transaction_reverted",
    hint: "details.error names the contract's error; docs/reference/chain-events.md lists them.",
    details: { error: reason.name, args: reason.args, text: reason.text, ...details },
  });
}

/** Translates an error of a simulation once, at the edge. */
export function translateChainError(error: unknown, kind: string): unknown {
  const data = revertDataOf(error);
  if (data !== undefined) return refusalError(kind, decodeReason(data));
  if (error instanceof BaseError && error.walk((cause) => cause instanceof InsufficientFundsError) !== null) {
    return unfundedError(error);
  }
  if (!(error instanceof BaseError)) return error;
  return new RetryableError(`The chain does not answer: ${error.shortMessage}`, {
    code: "chain_unreachable",
    hint: "Try again in a few seconds. If it persists, check CHAIN_RPC_URLS and that the endpoint is up.",
    cause: error,
  });
}

/** The FatalError `signer_unfunded`. */
export function unfundedError(cause?: unknown, details: Record<string, unknown> = {}): FatalError {
  return new FatalError("The account that sends transactions has insufficient ETH.", {
    code: "signer_unfunded",
    hint: "Send ETH to that account.",
    details,
    cause,
  });
}

type RevertedCall = { to_address: Hex; data: Hex; gas: bigint };

/**
 * Finds the reason of a reverted transaction by replaying the call on the state before its block. Where that passes, an earlier
 * transaction of its block made it revert, and the call still reverts on the state after the block.
 */
export async function explainRevert(
  client: ChainClient,
  from: Address,
  call: RevertedCall,
  receipt: TransactionReceipt,
): Promise<ChainReason> {
  const outOfGas = { name: "OutOfGas", args: { gas: call.gas }, text: `ran out of gas (${call.gas})` };
  if (receipt.gasUsed >= call.gas) return outOfGas;
  for (const block of [receipt.blockNumber - 1n, receipt.blockNumber]) {
    const reason = await replay(client, { from, call, block });
    if (reason !== undefined) return reason;
  }
  return { name: "Unexplained", args: {}, text: "reverted, and a replay does not show why" };
}

/** The reason why a call reverts on the state after a block; undefined if it passes, or if the endpoint cannot replay it. */
async function replay(
  client: ChainClient,
  { from, call, block }: { from: Address; call: RevertedCall; block: bigint },
): Promise<ChainReason | undefined> {
  try {
    await client.call({ account: from, to: call.to_address, data: call.data, blockNumber: block });
  } catch (error) {
    const data = revertDataOf(error);
    return data === undefined ? undefined : decodeReason(data);
  }
  return undefined;
}
