import { blocksByRange, type FollowedBlock } from "@ngpu/chain-reader/blocks";
import { readProvenLogs } from "@ngpu/chain-reader/provenLogs";
import type { ChainLog as RawLog, RpcClient } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import type { Address, Hex } from "viem";
import {
  type BlockClock,
  createBlockClock,
  decodeLog,
  selectorsOf,
  sourcesOf,
  type WantedEvents,
} from "./chainHistory.ts";

/** Blocks of one request. */
const rangeSize = 500n;
/** Times that a range is halved where an endpoint refuses it, down to a block. */
const smallest = 1n;

/** Every log of some events with the time of its block, in the chain's order, and the blocks' times. */
export type WholeHistory = { logs: ChainLog[]; clock: BlockClock; upTo: bigint };

/** Reads a market's history, and later what was added to it. */
export type HistoryReader = {
  /**
   * Reads the blocks up to one that were not read yet.
   *
   * @throws RetryableError `rpc_blocks_unlinked` (the chain was reorganized: begin with a new reader), `rpc_logs_missing` (with the
   *   block in `details`), `rpc_receipts_mismatch`; FatalError `log_undecodable`, `rpc_method_unsupported`.
   */
  readTo(upTo: bigint, onProgress?: (read: bigint, all: bigint) => void): Promise<WholeHistory>;
};

/**
 * Reads all blocks of a market with their headers. Each block must follow its predecessor. The logs of a block are compared with its
 * bloom filter, and proven by its receipts root.
 *
 * @param options.receipts False: the receipts are not read, for an endpoint that does not serve them.
 */
export function createHistoryReader(
  client: RpcClient,
  deployment: Deployment,
  { events, receipts }: { events: WantedEvents; receipts: boolean },
): HistoryReader {
  const { startBlock } = deployment;
  const sources = sourcesOf(deployment, events);
  const filter: Filter = { client, addresses: [...sources.keys()], topics: [selectorsOf(events)] };
  const headers = new Map<bigint, { time: number; hash: Hex }>();
  const logs: ChainLog[] = [];
  let next = startBlock;
  const take = async (block: FollowedBlock) => {
    const before = headers.get(block.number - 1n);
    if (before !== undefined && block.parentHash !== before.hash) throw unlinked(block.number);
    if (receipts && block.logs.length > 0) await requireProven(client, block, filter);
    const time = Number(block.timestamp);
    headers.set(block.number, { time, hash: block.hash });
    for (const raw of block.logs) {
      const source = sources.get(raw.address);
      if (source !== undefined) logs.push(decodeLog(raw, source, time));
    }
    next = block.number + 1n;
  };
  return {
    readTo: async (upTo, onProgress) => {
      while (next <= upTo) {
        const end = next + rangeSize - 1n < upTo ? next + rangeSize - 1n : upTo;
        for (const block of await readRange(filter, next, end)) await take(block);
        onProgress?.(next - startBlock, upTo - startBlock + 1n);
      }
      return { logs, clock: createBlockClock(client, upTo, headers), upTo };
    },
  };
}

type Filter = { client: RpcClient; addresses: Address[]; topics: [Hex[]] };

/** The endpoint refuses a range, answers with more than is read, or takes too long for it. */
const tooLarge = new Set(["rpc_limit", "rpc_timeout"]);

/** The blocks of a range, in halves where it is too large for the endpoint. */
async function readRange(filter: Filter, first: bigint, last: bigint): Promise<FollowedBlock[]> {
  try {
    return await blocksByRange(filter, first, last);
  } catch (error) {
    const isTooLarge = error instanceof RetryableError && tooLarge.has(error.code);
    if (!isTooLarge || last - first < smallest) throw error;
    const middle = (first + last) / 2n;
    return [...(await readRange(filter, first, middle)), ...(await readRange(filter, middle + 1n, last))];
  }
}

/** @throws RetryableError `rpc_logs_missing` where the receipts of a block have other logs than its endpoint gave. */
async function requireProven(client: RpcClient, block: FollowedBlock, filter: Filter): Promise<void> {
  const addresses = new Set<string>(filter.addresses);
  const topics = new Set<string>(filter.topics[0]);
  const isWanted = ({ address, topics: [first] }: RawLog) =>
    addresses.has(address) && topics.has(String(first));
  const proven = (await readProvenLogs(client, block).catch(withoutReceipts)).filter(isWanted);
  if (identity(proven) === identity(block.logs)) return;
  throw new RetryableError(
    `The endpoint gives ${block.logs.length} logs of block ${block.number}, and its receipts have ${proven.length}.`,
    {
      code: "rpc_logs_missing",
      hint: "Use another endpoint: this one omits or invents logs.",
      details: { blockNumber: block.number, blockHash: block.hash },
    },
  );
}

/** @throws FatalError `rpc_method_unsupported` of the endpoint, with what to do here. */
function withoutReceipts(error: unknown): never {
  if (!(error instanceof FatalError) || error.code !== "rpc_method_unsupported") throw error;
  throw new FatalError("The endpoint does not serve eth_getBlockReceipts, which proves a block's logs.", {
    code: "rpc_method_unsupported",
    hint: "Use another endpoint, or leave the proof out with --no-receipts.",
    cause: error,
  });
}

/** What the receipts root covers of logs, in their order. */
const identity = (logs: readonly RawLog[]) =>
  logs.map(({ address, topics, data }) => [address, ...topics, data].join(" ")).join("\n");

function unlinked(number: bigint): RetryableError {
  return new RetryableError(`Block ${number} does not follow the block before it.`, {
    code: "rpc_blocks_unlinked",
    hint: "Try again. If it recurs, use an endpoint whose servers agree.",
  });
}
