import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { isSuspicious } from "./completeness.ts";
import { readLogsOfBlock } from "./logsOfBlock.ts";
import { type LogFilter, type RpcClient, readHeader } from "./rpc.ts";

/** Errors of an endpoint that does not have an old block, or not its logs. */
const missingCodes = new Set(["rpc_history_pruned", "rpc_block_not_found"]);

// One endpoint behind an address may lag or be broken: only an answer that stays the same ends the service.
const attempts = 5;
const pause = 500;

/**
 * Checks that the endpoints serve the block from which the chain is followed, with its logs. Endpoints delete old blocks, or the logs
 * of old blocks, and some then return none without an error.
 *
 * @throws FatalError `rpc_history_missing` when five requests, half a second apart, find the same; RetryableError if no endpoint answers.
 */
export async function requireHistory(
  client: RpcClient,
  filter: LogFilter,
  from: bigint,
  signal = new AbortController().signal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const missing = await findMissing(client, filter, from);
    if (missing === undefined || signal.aborted) return;
    if (attempt === attempts) throw missing;
    await rest(pause, signal);
  }
}

/** @returns the error if the endpoint does not have the block or its logs */
async function findMissing(
  client: RpcClient,
  filter: LogFilter,
  from: bigint,
): Promise<FatalError | undefined> {
  const head = await readHeader(client, "latest");
  if (head.number < from) return undefined;
  try {
    const block = await readHeader(client, from);
    const logs = await readLogsOfBlock(client, filter, block);
    if (!isSuspicious(filter, block, logs)) return undefined;
    const others = await readLogsOfBlock(client.otherEndpoints ?? client, { addresses: [] }, block);
    return others.length === 0 ? historyMissing(from, undefined) : undefined;
  } catch (error) {
    if (error instanceof RetryableError && missingCodes.has(error.code)) return historyMissing(from, error);
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
