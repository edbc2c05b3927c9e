import { FatalError, messageOf, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import {
  type Address,
  BaseError,
  type Hex,
  HttpRequestError,
  hexToBigInt,
  MethodNotFoundRpcError,
  MethodNotSupportedRpcError,
  numberToHex,
  type PublicClient,
  ResponseBodyTooLargeError,
  TimeoutError,
} from "viem";
import { endpointError, refusalError } from "./endpoints/endpointError.ts";
import type { HeadHints } from "./endpoints/headHints.ts";
import { refusalOf } from "./endpoints/providerErrors.ts";
import { type Header, headerOf } from "./header.ts";
import { hashOf, hexOf, parseResponse } from "./parse.ts";

/** A log of the chain. Address and hashes are in lower case. */
export type ChainLog = {
  address: Address;
  topics: [Hex, ...Hex[]];
  data: Hex;
  blockNumber: bigint;
  blockHash: Hex;
  transactionHash: Hex;
  logIndex: number;
};

/** Selects logs by contract (none: any) and by topic (null: any). */
export type LogFilter = { addresses: readonly Address[]; topics?: readonly (Hex | Hex[] | null)[] };

/** One block by hash, or an inclusive range of block numbers. */
type LogRange = { blockHash: Hex } | { fromBlock: bigint; toBlock: bigint };

export type BlockTag = "latest" | "safe" | "finalized";

type Requester = Pick<PublicClient, "request">;

/** The subset of a viem client that is used; any JSON-RPC client works. */
export type RpcClient = Requester & {
  /** The chain that the client is for. */
  chain?: { id: number } | undefined;
  /** Sends concurrent requests as one batch. */
  batched?: Requester;
  /** Sends requests to an endpoint other than the one in use. */
  otherEndpoints?: Requester;
  /** Records an error of the endpoint in use, by code. It lowers the endpoint's score. */
  penalize?: (code: string) => void;
  /** Head subscriptions. */
  hints?: HeadHints;
};

/** Reads a header. @throws RetryableError, `rpc_block_not_found` if the endpoint does not have the block. */
export async function readHeader(client: Requester, at: bigint | BlockTag): Promise<Header> {
  const block: unknown = await call(() =>
    client.request({
      method: "eth_getBlockByNumber",
      params: [typeof at === "bigint" ? numberToHex(at) : at, false],
    }),
  );
  if (block === null) {
    throw new RetryableError(`The endpoint has no block ${at}.`, {
      code: "rpc_block_not_found",
      hint: "Wait until the endpoint has this block, or add another endpoint to CHAIN_RPC_URLS.",
    });
  }
  return headerOf(block);
}

/** Reads the logs of one block by hash, or of a range of numbers. */
export async function readLogs(client: RpcClient, filter: LogFilter, where: LogRange): Promise<ChainLog[]> {
  const response: unknown = await call(() => client.request(logsRequest(filter, where)));
  return parseResponse(() => {
    if (!Array.isArray(response)) throw new TypeError("not a list of logs");
    const read = logReader();
    return response.map(read);
  });
}

/** The request of `readLogs`. */
export function logsRequest(filter: LogFilter, where: LogRange) {
  const range =
    "blockHash" in where
      ? { blockHash: where.blockHash }
      : { fromBlock: numberToHex(where.fromBlock), toBlock: numberToHex(where.toBlock) };
  return {
    method: "eth_getLogs" as const,
    params: [{ ...addressesOf(filter), topics: [...(filter.topics ?? [])], ...range }] as never,
  };
}

/** An empty list selects logs of any contract. */
function addressesOf({ addresses }: LogFilter): { address?: Address[] } {
  return addresses.length === 0 ? {} : { address: [...addresses] };
}

/** Parses logs. Adjacent logs share block and transaction, so equal values are parsed once. */
export function logReader(): (raw: Record<string, unknown>) => ChainLog {
  const numberOf = once((text) => hexToBigInt(hexOf(text)));
  const blockHashOf = once(hashOf);
  const transactionOf = once(hashOf);
  const addressOf = once((text) => hexOf(text).toLowerCase() as Address);
  return (raw) => {
    if (raw.removed === true) throw new TypeError("a removed log");
    const topics = (raw.topics as unknown[]).map(hashOf);
    if (topics.length === 0) throw new TypeError("a log without topics");
    return {
      address: addressOf(raw.address),
      topics: topics as [Hex, ...Hex[]],
      data: hexOf(raw.data),
      blockNumber: numberOf(raw.blockNumber),
      blockHash: blockHashOf(raw.blockHash),
      transactionHash: transactionOf(raw.transactionHash),
      logIndex: indexOf(hexOf(raw.logIndex)),
    };
  };
}

/** Caches the result for the last value. */
function once<Result>(read: (value: unknown) => Result): (value: unknown) => Result {
  let last: unknown;
  let result: Result | undefined;
  return (value) => {
    if (result === undefined || value !== last) {
      result = read(value);
      last = value;
    }
    return result;
  };
}

function indexOf(hex: Hex): number {
  const index = Number(hex);
  if (!Number.isSafeInteger(index)) throw new TypeError("not an index");
  return index;
}

export async function call<Result>(request: () => Promise<Result>): Promise<Result> {
  try {
    return await request();
  } catch (error) {
    throw translateRpcError(error);
  }
}

/** Translates an error of an endpoint once, at the edge. The code is its kind. */
function translateRpcError(error: unknown): NgpuError {
  if (error instanceof NgpuError) return error;
  const is = (type: new (...args: never[]) => Error) =>
    error instanceof type || (error instanceof BaseError && error.walk((e) => e instanceof type) !== null);
  if (is(MethodNotFoundRpcError) || is(MethodNotSupportedRpcError)) {
    return new FatalError("The endpoint does not support a method that is required to follow the chain.", {
      code: "rpc_method_unsupported",
      hint: "Use an endpoint that serves eth_getLogs and eth_getBlockByNumber.",
      cause: error,
    });
  }
  if (is(TimeoutError)) return endpointError("rpc_timeout", error);
  if (is(ResponseBodyTooLargeError)) return endpointError("rpc_limit", error);
  const status =
    error instanceof BaseError
      ? (error.walk((e) => e instanceof HttpRequestError) as HttpRequestError | null)?.status
      : undefined;
  if (status === 429) return endpointError("rpc_rate_limited", error);
  if (status === 413) return endpointError("rpc_limit", error);
  return refusalError(refusalOf(refusalIn(error)), error);
}

/** The code and the words of the endpoint itself. */
function refusalIn(error: unknown): { code?: unknown; message?: unknown } {
  if (!(error instanceof BaseError)) return { message: messageOf(error) };
  const own = error.walk((e) => typeof (e as { code?: unknown }).code === "number") as {
    code?: unknown;
  } | null;
  return { code: own?.code, message: error.details };
}
