import { type AbiEvent, type Address, getAddress, type PublicClient } from "viem";

/** The client methods that a check needs. */
export type ChainReader = Pick<
  PublicClient,
  "getCode" | "call" | "readContract" | "getLogs" | "getBlockNumber" | "getChainId"
>;

/** Blocks per request, a common limit of public endpoints. */
const BLOCK_RANGE = 10_000n;

export type PastEvent = { name: string; address: Address; args: Record<string, unknown> };

/** Every event of these kinds that the contracts emitted, in order. */
export async function pastEvents(options: {
  client: ChainReader;
  addresses: readonly Address[];
  events: readonly AbiEvent[];
  fromBlock: bigint;
}): Promise<PastEvent[]> {
  const { client, events, fromBlock } = options;
  const head = await client.getBlockNumber();
  const found: PastEvent[] = [];
  for (let from = fromBlock; from <= head; from += BLOCK_RANGE) {
    const toBlock = from + BLOCK_RANGE - 1n < head ? from + BLOCK_RANGE - 1n : head;
    const logs = await client.getLogs({
      address: [...options.addresses],
      events: [...events],
      fromBlock: from,
      toBlock,
      strict: true,
    });
    for (const log of logs) {
      const { eventName, args, address } = log as unknown as {
        eventName: string;
        args: Record<string, unknown>;
        address: Address;
      };
      found.push({ name: eventName, address: getAddress(address), args });
    }
  }
  return found;
}
