import type { Address, Hex } from "viem";
import type { StoredLog } from "../events.ts";
import { atomically, type Journal } from "./open.ts";

export type StoredBlock = { number: bigint; hash: Hex; parentHash: Hex; timestamp: bigint };

/** Blocks kept for finding a common ancestor: more than the deepest reorg of an OP-stack chain. */
const keptBlocks = 2_000;
/** Logs of ended leases are kept for this many blocks, in case a reorg removes the end. */
const keptLogBlocks = 50_000n;

/** The newest stored blocks, ascending. */
export function keptBlocksOf(journal: Journal): StoredBlock[] {
  return journal
    .prepare("select * from block order by number")
    .all()
    .map((row) => ({
      number: BigInt(Number(row.number)),
      hash: String(row.hash) as Hex,
      parentHash: String(row.parent_hash) as Hex,
      timestamp: BigInt(Number(row.time)),
    }));
}

/** Stores blocks and their logs in one transaction: after a kill the journal has both or reads the blocks again. */
export function appendBlocks(journal: Journal, blocks: StoredBlock[], logs: StoredLog[]): void {
  const putBlock = journal.prepare("insert or replace into block values (?, ?, ?, ?)");
  const putLog = journal.prepare("insert or replace into log values (?, ?, ?, ?, ?, ?)");
  atomically(journal, () => {
    for (const block of blocks) putBlock.run(block.number, block.hash, block.parentHash, block.timestamp);
    for (const log of logs) {
      putLog.run(
        log.blockNumber,
        log.logIndex,
        log.blockHash,
        log.address,
        JSON.stringify(log.topics),
        log.data,
      );
    }
    const newest = blocks.at(-1)?.number ?? 0n;
    journal.prepare("delete from block where number < ?").run(newest - BigInt(keptBlocks));
  });
}

/** Deletes everything above the common ancestor. */
export function undoBlocks(journal: Journal, ancestor: bigint): void {
  atomically(journal, () => {
    for (const table of ["block", "log"] as const) {
      const column = table === "block" ? "number" : "block_number";
      journal.prepare(`delete from ${table} where ${column} > ?`).run(ancestor);
    }
    journal.prepare("delete from publication where block_number > ?").run(ancestor);
  });
}

/** All stored logs, in chain order. */
export function logsOf(journal: Journal): StoredLog[] {
  return journal
    .prepare("select * from log order by block_number, log_index")
    .all()
    .map((row) => ({
      address: String(row.address) as Address,
      topics: JSON.parse(String(row.topics)) as [Hex, ...Hex[]],
      data: String(row.data) as Hex,
      blockNumber: BigInt(Number(row.block_number)),
      blockHash: String(row.block_hash) as Hex,
      logIndex: Number(row.log_index),
    }));
}

/**
 * Deletes the logs of workspaces whose last log is old and that have no live lease here.
 *
 * @param live Ids of workspaces with a lease that has not ended.
 */
export function pruneLogs(journal: Journal, head: bigint, live: ReadonlySet<bigint>): void {
  const rows = journal
    .prepare(
      "select json_extract(topics, '$[1]') as subject, max(block_number) as last from log group by subject",
    )
    .all();
  const drop = journal.prepare("delete from log where json_extract(topics, '$[1]') = ?");
  for (const row of rows) {
    const subject = String(row.subject);
    if (BigInt(Number(row.last)) < head - keptLogBlocks && !live.has(BigInt(subject))) drop.run(subject);
  }
}

/** Deletes everything that was read from the chain. */
export function forgetChain(journal: Journal): void {
  journal.exec("delete from block; delete from log; delete from publication;");
}
