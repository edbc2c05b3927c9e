import { RetryableError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { acceptedLogs } from "./acceptedLogs.ts";
import { type CompletenessSource, isSuspicious, recheckLogs } from "./completeness.ts";
import type { Header } from "./header.ts";
import { readLogsOfBlock } from "./logsOfBlock.ts";
import type { BlockRef } from "./reconcile.ts";
import { type ChainLog, type RpcClient, readHeader, readLogs } from "./rpc.ts";

/** A block with the requested logs, ordered by index. `timestamp` is in Unix seconds. */
export type FollowedBlock = BlockRef & { parentHash: Hex; timestamp: bigint; logs: ChainLog[] };

type Source = CompletenessSource;

// Concurrent requests.
const concurrency = 24;
// Headers requested in one HTTP request.
const batchSize = 50;

/**
 * Reads blocks `first` to `head`. Logs are requested by block hash: an endpoint that does not have a block returns an
 * error. Some endpoints index logs some blocks behind their head: the blocks before the first one that cannot be read are
 * returned.
 *
 * @param announced The headers from `first` on, if they are known.
 * @throws RetryableError if the first block cannot be read.
 */
export async function blocksByHash(
  source: Source,
  first: bigint,
  head: Header,
  announced: readonly Header[] = [],
): Promise<FollowedBlock[]> {
  const below =
    announced[0]?.number === first
      ? announced.slice(0, -1)
      : await headersOf(source, first, head.number - 1n);
  return readable(source, [...below, head], async (header) =>
    complete(source, header, ofBlock(source, header, await logsByHash(source, header))),
  );
}

/** The results before the first error, which is reported. @throws RetryableError if there are none. */
async function readable(
  source: Source,
  headers: readonly Header[],
  read: (header: Header) => Promise<FollowedBlock>,
): Promise<FollowedBlock[]> {
  let failed: { position: number; error: RetryableError } | undefined;
  const blocks = await inParallel([...headers.entries()], async ([position, header]) => {
    if (failed !== undefined && failed.position < position) return undefined;
    try {
      return await read(header);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      if (failed === undefined || position < failed.position) failed = { position, error };
      return undefined;
    }
  });
  const first = blocks.indexOf(undefined);
  if (failed === undefined || first < 0) return blocks as FollowedBlock[];
  if (first === 0) throw failed.error;
  source.onError?.(failed.error.code);
  return blocks.slice(0, first) as FollowedBlock[];
}

/** Reads logs from the endpoint that announced the block. Without one, or if that fails, the endpoint in use is read. */
async function logsByHash(source: Source, header: Header): Promise<ChainLog[]> {
  const { hash: blockHash } = header;
  const announcer = source.client.hints?.announcerOf(blockHash);
  if (announcer === undefined) return readLogsOfBlock(source.client, source, header);
  try {
    return await readLogs(announcer as RpcClient, source, { blockHash });
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    source.onError?.(error.code);
    return readLogsOfBlock(source.client, source, header);
  }
}

/**
 * Reads blocks `first` to `last` with all headers. If a block's bloom filter contains a contract but the range has no
 * log of it, the block's logs are requested again by hash. So a lagging or truncating endpoint cannot hide logs.
 */
export async function blocksByRange(source: Source, first: bigint, last: bigint): Promise<FollowedBlock[]> {
  // The block of a range of one is read like one near the head: no smaller range is left if it has too many logs.
  if (first === last) return blocksByHash(source, first, await readHeader(source.client, first));
  const [headers, rangeLogs] = await Promise.all([
    headersOf(source, first, last),
    readLogs(source.client, source, { fromBlock: first, toBlock: last }),
  ]);
  const byNumber = new Map(headers.map((header) => [header.number, header]));
  const logs = acceptedLogs(source, rangeLogs, byNumber);
  return inParallel(headers, (header) => complete(source, header, logs.get(header.number) ?? []));
}

/**
 * Reads those of blocks `first` to `last` that have logs, and the last one.
 *
 * @param tip The block before `first`, or null.
 * @throws RetryableError `rpc_blocks_unlinked` if the chain changed in the meantime: the block before `first` is no longer
 *   `tip`, or the last block is another one than at the beginning.
 */
export async function loggedBlocksByRange(
  source: Source,
  first: bigint,
  last: bigint,
  tip: BlockRef | null,
): Promise<FollowedBlock[]> {
  const end = await readHeader(source.client, last);
  const rangeLogs =
    first === last
      ? await readLogsOfBlock(source.client, source, end)
      : await readLogs(source.client, source, { fromBlock: first, toBlock: last });
  const numbers = [...new Set(rangeLogs.map((log) => log.blockNumber))].filter((number) => number !== last);
  const headers = await inParallel(numbers.sort(ascending), (number) => readHeader(source.client, number));
  const after = await readHeader(source.client, last);
  const before = tip === null ? null : await readHeader(source.client, tip.number);
  if (after.hash !== end.hash || before?.hash !== tip?.hash) {
    throw new RetryableError("The chain changed while it was read.", {
      code: "rpc_blocks_unlinked",
      hint: "Wait: the blocks are read again. If it recurs, use an endpoint whose servers agree.",
    });
  }
  const all = [...headers, end];
  const logs = acceptedLogs(source, rangeLogs, new Map(all.map((header) => [header.number, header])));
  return inParallel(all, (header) => complete(source, header, logs.get(header.number) ?? []));
}

async function headersOf({ client }: Source, first: bigint, last: bigint): Promise<Header[]> {
  const numbers: bigint[] = [];
  for (let number = first; number <= last; number++) numbers.push(number);
  const { batched } = client;
  if (batched === undefined || numbers.length < 2) {
    return inParallel(numbers, (number) => readHeader(client, number));
  }
  const parts = Array.from({ length: Math.ceil(numbers.length / batchSize) }, (_, index) =>
    numbers.slice(index * batchSize, (index + 1) * batchSize),
  );
  const headers = await inParallel(parts, (part) =>
    Promise.all(part.map((number) => readHeader(batched, number))).catch(() =>
      // Some endpoints do not accept batches.
      inParallel(part, (number) => readHeader(client, number)),
    ),
  );
  return headers.flat();
}

/** The block with its logs. Proven logs take precedence; logs are re-read if the bloom filter contains more. */
async function complete(source: Source, header: Header, logs: ChainLog[]): Promise<FollowedBlock> {
  const proven = source.proven?.get(header.hash);
  if (proven !== undefined) return blockOf(header, ofBlock(source, header, proven));
  if (!isSuspicious(source, header, logs)) return blockOf(header, logs);
  return blockOf(header, ofBlock(source, header, await recheckLogs(source, header, logs)));
}

function ofBlock(source: Source, header: Header, logs: readonly ChainLog[]): ChainLog[] {
  return acceptedLogs(source, logs, new Map([[header.number, header]])).get(header.number) ?? [];
}

function blockOf({ number, hash, parentHash, timestamp }: Header, logs: ChainLog[]): FollowedBlock {
  return { number, hash, parentHash, timestamp, logs };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Maps items with bounded concurrency; results keep the order. The first error stops it. */
async function inParallel<Item, Result>(
  items: readonly Item[],
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await map(items[index] as Item);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, work));
  return results;
}
