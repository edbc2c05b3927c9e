import { RetryableError } from "@ngpu/runtime/errors";
import { type Address, type Hex, hexToBytes } from "viem";
import { type BloomBits, bloomBits, mayContain } from "./bloom.ts";
import type { Header } from "./header.ts";
import { type ChainLog, type LogFilter, type RpcClient, readLogs } from "./rpc.ts";

/** The logs to read, and the client to re-read them with; re-reads use `otherEndpoints` if it is set. */
export type CompletenessSource = LogFilter & {
  client: RpcClient;
  onError?: (code: string) => void;
  /** All logs of blocks that are proven in another way, by block hash. They take precedence over any response. */
  proven?: ReadonlyMap<Hex, readonly ChainLog[]>;
};

// Above this probability of a false positive, a bloom filter is not evidence of a missing log.
const maxFalsePositive = 0.05;

type Wanted = { address: string; bits: BloomBits };

// Caches the bloom bits of the contracts, which are needed for every block.
const wantedOf = new WeakMap<readonly Address[], Wanted[]>();

/** Whether a header's bloom filter contains a wanted contract, but none of the logs is of that contract. */
export function isSuspicious(
  { addresses, topics = [] }: LogFilter,
  header: Header,
  logs: ChainLog[],
): boolean {
  const wanted =
    wantedOf.get(addresses) ??
    addresses.map((address) => ({ address: address.toLowerCase(), bits: bloomBits(address) }));
  wantedOf.set(addresses, wanted);
  const bloom = hexToBytes(header.logsBloom);
  const missing = wanted.some(
    ({ address, bits }) => mayContain(bloom, bits) && !logs.some((log) => log.address === address),
  );
  const positions = topics.flatMap((topic) => (topic === null ? [] : [[topic].flat()]));
  return (
    missing && positions.every((options) => options.some((topic) => mayContain(bloom, bloomBits(topic))))
  );
}

/**
 * Re-reads the logs of a block whose bloom filter contains more than the logs in `given`: by hash, from another
 * endpoint if there is one. If they still do not match the bloom filter, it reads all logs of the block, whose bloom
 * filter must equal the header's.
 *
 * @throws RetryableError `rpc_logs_missing` if it does not: the endpoint omits logs.
 */
export async function recheckLogs(
  source: CompletenessSource,
  header: Header,
  given: ChainLog[],
): Promise<ChainLog[]> {
  const where = { blockHash: header.hash };
  const client = source.client.otherEndpoints ?? source.client;
  const again = await readLogs(client, source, where);
  if (again.length > given.length) source.onError?.("rpc_logs_missing");
  const best = again.length > given.length ? again : given;
  if (!isSuspicious(source, header, best) || isDense(source, header)) return best;
  const all = await readLogs(client, { addresses: [] }, where);
  if (bloomOf(all) === header.logsBloom.toLowerCase()) {
    return all.filter(({ topics }) => matches(source, topics));
  }
  throw new RetryableError("The endpoint omits logs that the block's bloom filter contains.", {
    code: "rpc_logs_missing",
    hint: "Wait: the blocks are read again, from another endpoint if there is one. If it recurs, replace this endpoint.",
    details: { blockNumber: header.number, blockHash: header.hash },
  });
}

function matches({ topics = [] }: LogFilter, given: readonly Hex[]): boolean {
  return topics.every((topic, position) => topic === null || [topic].flat().includes(given[position] as Hex));
}

/** Whether so many bits are set that a false positive for one of the addresses is likely. */
function isDense({ addresses }: LogFilter, { logsBloom }: Header): boolean {
  let set = 0;
  for (const byte of hexToBytes(logsBloom)) for (let rest = byte; rest > 0; rest &= rest - 1) set += 1;
  return addresses.length * (set / 2048) ** 3 > maxFalsePositive;
}

function bloomOf(logs: readonly ChainLog[]): string {
  const bloom = Buffer.alloc(256);
  for (const { address, topics } of logs) {
    for (const { byte, mask } of [address, ...topics].flatMap(bloomBits)) {
      bloom[byte] = (bloom[byte] as number) | mask;
    }
  }
  return `0x${bloom.toString("hex")}`;
}
