import { readProvenLogs } from "@ngpu/chain-reader/provenLogs";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import { type ChainLog, type RpcClient, readLogs } from "@ngpu/chain-reader/rpc";
import type { Database } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import type { EventIndex } from "./decode.ts";
import type { Definitions } from "./definitions.ts";

/** What an audit of a block found: its rows are whole, some were left out, or its receipts prove nothing. */
export type AuditResult = "complete" | "missing" | "unproven";

export type ComparedParts = {
  client: RpcClient;
  pool: Database;
  schema: string;
  definitions: Definitions;
  find: EventIndex;
  onResult: (result: AuditResult) => void;
};

/** A block with the indexes of the logs that are known of it, ascending. */
export type KnownBlock = BlockRef & { logIndexes: number[] };

/** Those of the blocks that lack a log, with all their logs. The endpoint that left the first one's out is blamed. */
export async function findOmittedLogs(
  parts: ComparedParts,
  blocks: readonly KnownBlock[],
): Promise<Map<BlockRef, ChainLog[]>> {
  const proven = new Map<BlockRef, ChainLog[]>();
  for (const block of blocks) {
    const logs = await provenLogs(parts, block);
    const result = logs === undefined ? "unproven" : isComplete(parts, block, logs) ? "complete" : "missing";
    parts.onResult(result);
    if (logs !== undefined && result === "missing") proven.set(block, logs);
  }
  const [first] = proven;
  if (first !== undefined) await blame(parts, ...first);
  return proven;
}

export function wantedOf({ find }: ComparedParts, logs: readonly ChainLog[]): ChainLog[] {
  return logs.filter((log) => find(log) !== undefined);
}

function isComplete(parts: ComparedParts, { logIndexes }: KnownBlock, logs: readonly ChainLog[]): boolean {
  const wanted = wantedOf(parts, logs);
  return (
    logIndexes.length === wanted.length && wanted.every(({ logIndex }, at) => logIndexes[at] === logIndex)
  );
}

async function provenLogs({ client }: ComparedParts, block: BlockRef): Promise<ChainLog[] | undefined> {
  try {
    return await readProvenLogs(client, block);
  } catch (error) {
    if (error instanceof NgpuError && error.code === "rpc_receipts_unproven") return undefined;
    throw error;
  }
}

/** An endpoint that still leaves logs out is asked less from now on. */
async function blame(parts: ComparedParts, { hash }: BlockRef, logs: readonly ChainLog[]): Promise<void> {
  const wanted = wantedOf(parts, logs);
  const addresses = [...new Set(wanted.map(({ address }) => address))];
  const again = await readLogs(parts.client, { addresses }, { blockHash: hash });
  if (wantedOf(parts, again).length < wanted.length) parts.client.penalize?.("rpc_logs_missing");
}
