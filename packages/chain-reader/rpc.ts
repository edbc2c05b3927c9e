import { FatalError, NgpuError, RetryableError } from "@ngpu/runtime/errors";
import {
  type Address,
  BaseError,
  type Hex,
  HttpRequestError,
  hexToBigInt,
  InvalidParamsRpcError,
  LimitExceededRpcError,
  MethodNotFoundRpcError,
  MethodNotSupportedRpcError,
  numberToHex,
  type PublicClient,
  TimeoutError,
} from "viem";
import type { HeadHints } from "./endpoints/headHints.ts";
import { type Header, headerOf } from "./header.ts";
import { hashOf, hexOf, parseAnswer } from "./parse.ts";

/** A log as the chain holds it; address and hashes in lower case. */
export type ChainLog = {
  address: Address;
  topics: [Hex, ...Hex[]];
  data: Hex;
  blockNumber: bigint;
  blockHash: Hex;
  transactionHash: Hex;
  logIndex: number;
};

/** Which logs are wanted: of these contracts (none: any), and of these topics (null: any) where they are given. */
export type LogFilter = { addresses: readonly Address[]; topics?: readonly (Hex | Hex[] | null)[] };

/** A block, by its hash, or all from one to another. */
type LogRange = { blockHash: Hex } | { fromBlock: bigint; toBlock: bigint };

export type BlockTag = "latest" | "safe" | "finalized";

type Requester = Pick<PublicClient, "request">;

/** The part of viem's client that is used: anything that speaks JSON-RPC will do. */
export type RpcClient = Requester & {
  /** A way to ask that puts small questions which are asked at once into one HTTP request. */
  batched?: Requester;
  /** A way to ask another endpoint than the one that is in use, where there is one. */
  otherEndpoints?: Requester;
  /** Says that the endpoint in use was found at fault, by the fault's code: it is asked less. */
  penalize?: (code: string) => void;
  /** Tells of new heads before anybody asks. */
  hints?: HeadHints;
};

/** @throws RetryableError, also when the endpoint does not know the block or its answer is cut short. */
export async function readHeader(client: Requester, at: bigint | BlockTag): Promise<Header> {
  const block: unknown = await call(() =>
    client.request({
      method: "eth_getBlockByNumber",
      params: [typeof at === "bigint" ? numberToHex(at) : at, false],
    }),
  );
  if (block === null) {
    throw new RetryableError(`The endpoint has no block ${at}.`, { code: "rpc_block_missing" });
  }
  return headerOf(block);
}

/** The logs of one block, named by its hash so that no other block's can be meant, or of a range of numbers. */
export async function readLogs(client: RpcClient, filter: LogFilter, where: LogRange): Promise<ChainLog[]> {
  const answer: unknown = await call(() => client.request(logsRequest(filter, where)));
  return parseAnswer(() => {
    if (!Array.isArray(answer)) throw new TypeError("not a list of logs");
    const read = logReader();
    return answer.map(read);
  });
}

/** What `readLogs` asks. */
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

/** None: logs of any contract. */
function addressesOf({ addresses }: LogFilter): { address?: Address[] } {
  return addresses.length === 0 ? {} : { address: [...addresses] };
}

/** Reads logs. Those of a block, or of a transaction, come together: what they share is read once. */
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

/** Reads a value again only when it is another one than the last. */
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

/** Translates a fault of an endpoint once, at the edge; the code says its kind. */
function translateRpcError(error: unknown): NgpuError {
  if (error instanceof NgpuError) return error;
  const is = (type: new (...args: never[]) => Error) =>
    error instanceof type || (error instanceof BaseError && error.walk((e) => e instanceof type) !== null);
  if (is(MethodNotFoundRpcError) || is(MethodNotSupportedRpcError)) {
    return new FatalError("The endpoint does not support a method that is required to follow the chain.", {
      code: "rpc_method_missing",
      hint: "Use an endpoint that serves eth_getLogs and eth_getBlockByNumber.",
      cause: error,
    });
  }
  const status =
    error instanceof BaseError
      ? (error.walk((e) => e instanceof HttpRequestError) as HttpRequestError | null)?.status
      : undefined;
  const code =
    is(LimitExceededRpcError) || is(InvalidParamsRpcError) || status === 413
      ? "rpc_limit"
      : status === 429
        ? "rpc_rate_limited"
        : is(TimeoutError)
          ? "rpc_timeout"
          : "rpc_failed";
  return new RetryableError("The chain's endpoint did not answer.", { code, cause: error });
}
