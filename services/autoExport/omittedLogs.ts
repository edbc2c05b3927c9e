import { readProvenLogs } from "@ngpu/chain-reader/provenLogs";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import { type ChainLog, type RpcClient, readLogs } from "@ngpu/chain-reader/rpc";
import type { Database } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import type { EventIndex } from "./decode.ts";
import type { Definitions } from "./definitions.ts";

/** Result of an audit of a block: its rows are complete, rows are missing, or its receipts are not proven. */
export type AuditResult = "complete" | "missing" | "unproven";

export type ComparedParts = {
  client: RpcClient;
  pool: Database;
  schema: string;
  definitions: Definitions;
  find: EventIndex;
  onResult: (result: AuditResult) => void;
};

/** A block with the indexes of its known logs, ascending. */
export type KnownBlock = BlockRef & { logIndexes: number[] };

/** The blocks that lack a log, with all their logs. Penalizes the endpoint if it still omits logs of the first such block. */
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
  if (first !== undefined) await penalizeOmission(parts, ...first);
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
    if (error instanceof NgpuError && error.code === "rpc_receipts_mismatch") return undefined;
    throw error;
  }
}

/** Penalizes the endpoint if it still omits logs of the block, so that it is used less. */
async function penalizeOmission(
  parts: ComparedParts,
  { hash }: BlockRef,
  logs: readonly ChainLog[],
): Promise<void> {
  const wanted = wantedOf(parts, logs);
  const addresses = [...new Set(wanted.map(({ address }) => address))];
  const again = await readLogs(parts.client, { addresses }, { blockHash: hash });
  if (wantedOf(parts, again).length < wanted.length) parts.client.penalize?.("rpc_logs_missing");
}
