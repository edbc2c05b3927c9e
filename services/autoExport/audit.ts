import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { Queryable } from "@ngpu/db/pool";
import { FatalError, NgpuError } from "@ngpu/runtime/errors";
import { type Loop, type LoopOptions, startLoop } from "@ngpu/runtime/loop";
import { type ComparedParts, findOmittedLogs, type KnownBlock, wantedOf } from "./omittedLogs.ts";
import type { Tier } from "./store.ts";

type AuditParts = ComparedParts & {
  /** Most blocks in one round. */
  blocks: number;
  /** Makes void what is stored of blocks that lack logs, and of all after the first, so that they are read again. In order. */
  repair: (proven: ReadonlyMap<BlockRef, ChainLog[]>) => Promise<void>;
};

// Blocks that are looked through for rows in one round.
const span = 1_000n;

/** Audits some blocks a round, until the signal is aborted or no endpoint serves receipts. */
export function startAudit(
  parts: AuditParts & { ready: Promise<void> },
  options: Pick<LoopOptions, "logger" | "signal" | "interval">,
): Loop {
  const cancelled = new AbortController();
  const signal = AbortSignal.any([options.signal, cancelled.signal]);
  return startLoop({ ...options, name: "audit", signal }, async () => {
    try {
      await parts.ready;
      await auditBlocks(parts);
    } catch (error) {
      if (!receiptsUnsupported(error)) throw error;
      options.logger.warn({ event: "audit_impossible", error });
      cancelled.abort();
    }
  });
}

function receiptsUnsupported(error: unknown): boolean {
  return error instanceof NgpuError && error.code === "rpc_method_missing";
}

/**
 * Compares the rows of the next blocks that are safe with all logs of those blocks, proven by their receipts. Only blocks with rows
 * are asked about: where a contract has none at all, the bloom told while the block was read.
 */
async function auditBlocks(parts: AuditParts): Promise<void> {
  const { audited, head } = await readAuditRange(parts, "safe");
  if (head <= audited) return;
  const last = endOfSpan(audited, head);
  const found = await readStored(parts, audited, last, parts.blocks);
  const proven = await findOmittedLogs(parts, found);
  if (proven.size > 0) return parts.repair(proven);
  const reached = found.length < parts.blocks ? last : (found.at(-1)?.number ?? last);
  await recordAudited(parts.pool, parts.schema, reached);
}

/**
 * Searches for logs that an endpoint left out, because a row that was to be stored builds on one: in blocks that could not be stored, else in
 * those that are, from the last audited one on. Gives the blocks that lack some, with all their logs.
 *
 * @throws FatalError `logs_missing` when no endpoint serves the receipts that would tell
 */
export async function searchOmittedLogs(
  parts: ComparedParts,
  unstored: readonly FollowedBlock[],
): Promise<{ isStored: boolean; proven: Map<BlockRef, ChainLog[]> }> {
  try {
    return await search(parts, unstored);
  } catch (error) {
    if (!receiptsUnsupported(error)) throw error;
    throw new FatalError(
      "An event is missing from the logs, and no endpoint serves receipts to recover it.",
      {
        code: "logs_missing",
        hint: "Add an endpoint that serves eth_getBlockReceipts to CHAIN_RPC_URLS.",
        cause: error,
      },
    );
  }
}

async function search(
  parts: ComparedParts,
  unstored: readonly FollowedBlock[],
): Promise<{ isStored: boolean; proven: Map<BlockRef, ChainLog[]> }> {
  const known = unstored.map((block) => ({
    ...block,
    logIndexes: wantedOf(parts, block.logs).map(({ logIndex }) => logIndex),
  }));
  const proven = await findOmittedLogs(
    parts,
    known.filter(({ logIndexes }) => logIndexes.length > 0),
  );
  if (proven.size > 0) return { isStored: false, proven };
  const { audited: from, head } = await readAuditRange(parts, "unsafe");
  for (let audited = from; audited < head; audited += span) {
    const stored = await readStored(parts, audited, endOfSpan(audited, head), Number(span));
    const found = await findOmittedLogs(parts, stored);
    if (found.size > 0) return { isStored: true, proven: found };
  }
  return { isStored: true, proven };
}

/** The last audited block, and a head; -1 for none. */
async function readAuditRange(
  { pool, schema }: ComparedParts,
  tier: Tier,
): Promise<{ audited: bigint; head: bigint }> {
  const { rows } = await pool.query<{ audited: bigint; head: bigint }>(
    `select coalesce((select number from ${schema}.audit), -1) as audited,
       coalesce((select number from ${schema}.head where tier = $1), -1) as head`,
    [tier],
  );
  return rows[0] ?? { audited: -1n, head: -1n };
}

function endOfSpan(audited: bigint, head: bigint): bigint {
  return head < audited + span ? head : audited + span;
}

/** The blocks with rows above `audited` up to `last`, the first of them, so many at most. */
async function readStored(
  { pool, schema, definitions }: ComparedParts,
  audited: bigint,
  last: bigint,
  most: number,
): Promise<KnownBlock[]> {
  const tables = [...new Set(definitions.tables.map(({ table }) => table))];
  const rows = tables.map(
    (table) =>
      `select block_number, log_index from ${schema}.${table} where block_number > $1 and block_number <= $2`,
  );
  const text = `select block.number, block.hash, array_agg(log_index order by log_index) as "logIndexes"
    from (${rows.join(" union all ")}) as row join ${schema}.block as block on block.number = row.block_number
    group by block.number, block.hash order by block.number limit $3`;
  const found = await pool.query<KnownBlock>({ name: "audit", text, values: [audited, last, most] });
  return found.rows;
}

/** A reorg meanwhile sets it back by itself, and to what is not stored any more it does not go. */
async function recordAudited(db: Queryable, schema: string, number: bigint): Promise<void> {
  await db.query(
    `insert into ${schema}.audit (number) select number from ${schema}.block where number = $1
     on conflict (singular) do update set number = excluded.number`,
    [number],
  );
}
