import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import { isSuspicious } from "./completeness.ts";
import { readLogsOfBlock } from "./logsOfBlock.ts";
import { type LogFilter, type RpcClient, readHeader } from "./rpc.ts";

/** Errors of an endpoint that does not have an old block, or not its logs. */
const missing = new Set(["rpc_history_pruned", "rpc_block_not_found"]);

/**
 * Checks that the endpoints serve the block from which the chain is followed, with its logs. Endpoints delete old blocks, or the logs
 * of old blocks, and some then return none without an error.
 *
 * @throws FatalError `rpc_history_missing`; RetryableError if no endpoint answers.
 */
export async function requireHistory(client: RpcClient, filter: LogFilter, from: bigint): Promise<void> {
  const head = await readHeader(client, "latest");
  if (head.number < from) return;
  try {
    const block = await readHeader(client, from);
    const logs = await readLogsOfBlock(client, filter, block);
    if (isSuspicious(filter, block, logs)) {
      const others = await readLogsOfBlock(client.otherEndpoints ?? client, { addresses: [] }, block);
      if (others.length === 0) throw historyMissing(from, undefined);
    }
  } catch (error) {
    if (error instanceof RetryableError && missing.has(error.code)) throw historyMissing(from, error);
    throw error;
  }
}

function historyMissing(from: bigint, cause: unknown): FatalError {
  return new FatalError(
    `No RPC endpoint has block ${from} with its logs, from which the chain is followed.`,
    {
      code: "rpc_history_missing",
      hint: "Add an endpoint to CHAIN_RPC_URLS that keeps all blocks and logs since the deployment.",
      details: { from },
      cause,
    },
  );
}
