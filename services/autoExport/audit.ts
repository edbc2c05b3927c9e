import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { Queryable } from "@ngpu/db/pool";
import { FatalError, NgpuError } from "@ngpu/runtime/errors";
import { type Loop, type LoopOptions, startLoop } from "@ngpu/runtime/loop";
import { type ComparedParts, findOmittedLogs, type KnownBlock, wantedOf } from "./omittedLogs.ts";
import { asideTable } from "./setAside.ts";
import type { Tier } from "./store.ts";

type AuditParts = ComparedParts & {
  /** Maximum number of blocks in a round. */
  blocks: number;
  /** Reverts the first of these blocks and every block above it, so that they are read again. Blocks are in ascending order. */
  repair: (proven: ReadonlyMap<BlockRef, ChainLog[]>) => Promise<void>;
};

// Blocks that a round searches for rows.
const span = 1_000n;

/** Audits up to `parts.blocks` blocks in each round, until the signal is aborted or no endpoint serves receipts. */
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
      options.logger.warn({ event: "audit_disabled", error });
      cancelled.abort();
    }
  });
}

function receiptsUnsupported(error: unknown): boolean {
  return error instanceof NgpuError && error.code === "rpc_method_unsupported";
}

/**
 * Compares the rows of the next safe blocks with all logs of those blocks, proven by their receipts. Only blocks with rows
 * are checked: logs of a contract without any row in the block were already detected by the bloom when the block was read.
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
 * Searches for logs that an endpoint omitted, after a row could not be stored because its first event is missing. Searches the
 * blocks that could not be stored, then the stored blocks above the last audited one.
 *
 * @returns The blocks that lack logs, with all their logs; `isStored` is true if these blocks are stored.
 * @throws FatalError `logs_unrecoverable` when no endpoint serves receipts.
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
        code: "logs_unrecoverable",
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

/** The last audited block, and the head of a tier; -1 if there is none. */
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

/** The first blocks with rows, above `audited` and up to `last`; at most `most` blocks. */
async function readStored(
  { pool, schema, definitions }: ComparedParts,
  audited: bigint,
  last: bigint,
  most: number,
): Promise<KnownBlock[]> {
  const tables = [...new Set(definitions.tables.map(({ table }) => table)), asideTable];
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

/** Records the last audited block. Does nothing if a reorg has removed the block; a reorg also lowers the recorded number. */
async function recordAudited(db: Queryable, schema: string, number: bigint): Promise<void> {
  await db.query(
    `insert into ${schema}.audit (number) select number from ${schema}.block where number = $1
     on conflict (singular) do update set number = excluded.number`,
    [number],
  );
}
