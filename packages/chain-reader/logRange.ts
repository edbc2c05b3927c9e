import { RetryableError } from "@ngpu/runtime/errors";
import { type ChainLog, type LogFilter, type RpcClient, readLogs } from "./rpc.ts";

/**
 * Reads the logs of a range, in halves where the endpoint refuses it.
 *
 * @throws RetryableError `rpc_limit` if the endpoint refuses a single block.
 */
export async function readLogRange(
  client: RpcClient,
  filter: LogFilter,
  { fromBlock, toBlock }: { fromBlock: bigint; toBlock: bigint },
): Promise<ChainLog[]> {
  try {
    return await readLogs(client, filter, { fromBlock, toBlock });
  } catch (error) {
    const isLimit = error instanceof RetryableError && error.code === "rpc_limit";
    if (!isLimit || fromBlock >= toBlock) throw error;
    const middle = (fromBlock + toBlock) / 2n;
    const first = await readLogRange(client, filter, { fromBlock, toBlock: middle });
    return [...first, ...(await readLogRange(client, filter, { fromBlock: middle + 1n, toBlock }))];
  }
}
