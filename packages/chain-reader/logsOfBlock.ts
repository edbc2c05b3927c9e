import { NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { readProvenLogs } from "./provenLogs.ts";
import type { BlockRef } from "./reconcile.ts";
import { type ChainLog, type LogFilter, type RpcClient, readLogs } from "./rpc.ts";

/**
 * Reads the logs of one block by hash. If they are more than the endpoint returns at once, they are read from the block's receipts, or
 * contract by contract.
 *
 * @throws RetryableError `rpc_limit` if the endpoint serves none of these.
 */
export async function readLogsOfBlock(
  client: RpcClient,
  filter: LogFilter,
  block: BlockRef,
): Promise<ChainLog[]> {
  const where = { blockHash: block.hash };
  try {
    return await readLogs(client, filter, where);
  } catch (limit) {
    if (!(limit instanceof RetryableError) || limit.code !== "rpc_limit") throw limit;
    try {
      const logs = await readProvenLogs(client, block);
      return logs.filter((log) => isWanted(filter, log));
    } catch (error) {
      // Many endpoints do not serve receipts, or limit them, too.
      if (!(error instanceof NgpuError) || filter.addresses.length < 2) throw limit;
    }
    const logs: ChainLog[] = [];
    for (const address of filter.addresses) {
      logs.push(...(await readLogs(client, { ...filter, addresses: [address] }, where)));
    }
    return logs;
  }
}

function isWanted({ addresses, topics = [] }: LogFilter, log: ChainLog): boolean {
  const isOfContract =
    addresses.length === 0 || addresses.some((address) => address.toLowerCase() === log.address);
  return (
    isOfContract &&
    topics.every((topic, position) => topic === null || [topic].flat().includes(log.topics[position] as Hex))
  );
}
