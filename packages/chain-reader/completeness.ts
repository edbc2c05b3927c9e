import { RetryableError } from "@ngpu/runtime/errors";
import { type Address, type Hex, hexToBytes } from "viem";
import { type BloomBits, bloomBits, mayContain } from "./bloom.ts";
import type { Header } from "./header.ts";
import { type ChainLog, type LogFilter, type RpcClient, readLogs } from "./rpc.ts";

/** What is asked again, and where: `otherEndpoints` when there is another endpoint. */
export type CompletenessSource = LogFilter & {
  client: RpcClient;
  onError?: (code: string) => void;
  /** All logs of blocks that were proven otherwise, by the block's hash: they stand, whatever an endpoint says. */
  proven?: ReadonlyMap<Hex, readonly ChainLog[]>;
};

// Above this chance that a bloom names an address by coincidence it is no evidence any more.
const coincidence = 0.05;

type Wanted = { address: string; bits: BloomBits };

// The bits of the same contracts are needed for every block.
const wantedOf = new WeakMap<readonly Address[], Wanted[]>();

/** Whether a header's bloom names a wanted contract of which none of the logs is. */
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
  const places = topics.flatMap((topic) => (topic === null ? [] : [[topic].flat()]));
  return missing && places.every((position) => position.some((topic) => mayContain(bloom, bloomBits(topic))));
}

/**
 * Asks again for the logs of a block of which too few came: by hash, of another endpoint where there is one. Where that does
 * not explain the bloom either, all of the block's logs are asked for, whose own bloom must be the header's.
 *
 * @throws RetryableError `rpc_logs_missing` when they are not: the endpoint leaves logs out
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
    details: { blockNumber: header.number, blockHash: header.hash },
  });
}

function matches({ topics = [] }: LogFilter, given: readonly Hex[]): boolean {
  return topics.every((topic, position) => topic === null || [topic].flat().includes(given[position] as Hex));
}

/** Whether so many bits are set that an address may well be named that has no log there. */
function isDense({ addresses }: LogFilter, { logsBloom }: Header): boolean {
  let set = 0;
  for (const byte of hexToBytes(logsBloom)) for (let rest = byte; rest > 0; rest &= rest - 1) set += 1;
  return addresses.length * (set / 2048) ** 3 > coincidence;
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
