import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import { chainChannel } from "@ngpu/db/listen";
import type { Connection, Queryable } from "@ngpu/db/pool";
import { toJson } from "@ngpu/runtime/json";
import pg from "pg";
import { copyInto, runPipelined, type Statement } from "./copy.ts";
import { bytesOf } from "./copyLines.ts";
import type { Origin } from "./decide.ts";
import { type EventRows, timeOf } from "./decode.ts";
import type { Definitions } from "./definitions.ts";

/** The schema that the chain is exported to. */
export const chainSchema = "chain";

export type Tier = "unsafe" | "safe" | "finalized";

/** The last stored block. */
export async function readTip(db: Queryable): Promise<BlockRef | undefined> {
  return readHead(db, "unsafe");
}

export async function readHead(db: Queryable, tier: Tier): Promise<BlockRef | undefined> {
  const { rows } = await db.query<BlockRef>("select number, hash from head where tier = $1", [tier]);
  return rows[0];
}

/** Up to `limit` stored blocks below a number (null: the newest), ascending. */
export async function readBlocks(db: Queryable, below: bigint | null, limit: number): Promise<BlockRef[]> {
  const { rows } = await db.query<BlockRef>(
    `select number, hash from block where $1::bigint is null or number < $1 order by number desc limit $2`,
    [below, limit],
  );
  return rows.reverse();
}

/** Runs `work` in a transaction on the writing connection. */
export async function inTransaction<Result>(db: Queryable, work: () => Promise<Result>): Promise<Result> {
  await db.query("begin");
  try {
    const result = await work();
    await db.query("commit");
    return result;
  } catch (error) {
    // A broken connection has already ended the transaction; the first error is the one to report.
    await db.query("rollback").catch(() => undefined);
    throw error;
  }
}

/**
 * Prepares a connection for writing. The schema must be built and come first in its search path. Every table has an index
 * for its lookups, so plans are generic and do not depend on statistics, which lag during a backfill. Lookups return few rows or
 * adjacent ones, so bitmap scans are disabled.
 */
export async function prepareWriter(db: Connection, { projections }: Definitions): Promise<void> {
  const settings =
    "set jit to off; set enable_seqscan to off; set enable_bitmapscan to off; set plan_cache_mode to force_generic_plan";
  await db.query(`${settings}; deallocate all`);
  await db.query(`prepare put_head (text, bigint, text) as insert into head (tier, number, hash) values ($1, $2, $3)
    on conflict (tier) do update set number = excluded.number, hash = excluded.hash`);
  // One message for each statement: a plan keeps the text of its whole message, and every `execute` copies it.
  for (const { name, apply, applyBlock } of projections) {
    await db.query(`prepare apply_${name} (bigint, bigint) as ${apply}`);
    await db.query(`prepare apply_block_${name} (bigint, bigint) as ${applyBlock}`);
  }
}

/**
 * Stores the next blocks with their events, updates the projections and, unless `silent`, notifies listeners, in one
 * transaction and one round trip.
 *
 * @param db A connection prepared by `prepareWriter`.
 */
export async function saveBlocks(
  db: Connection,
  definitions: Definitions,
  blocks: readonly FollowedBlock[],
  rows: EventRows,
  { silent = false } = {},
): Promise<void> {
  const first = blocks[0];
  const last = blocks.at(-1);
  if (first === undefined || last === undefined) return;
  const touched = definitions.projections.filter(({ sources }) => sources.some((table) => rows.has(table)));
  const tables = [...rows.keys(), ...touched.map(({ name }) => name)];
  const apply = blocks.length === 1 ? "apply_block" : "apply";
  const statements: Statement[] = [
    copyInto("block", Buffer.from(blocks.map(blockLine).join(""))),
    ...Array.from(rows, ([table, lines]) => copyInto(table, bytesOf(lines))),
    ...touched.map(({ name }) => ({ text: `execute ${apply}_${name} (${first.number}, ${last.number})` })),
    { text: headStatement("unsafe", last) },
  ];
  if (!silent) statements.push({ text: announcement(last, tables) });
  await runPipelined(db, statements);
}

/** Reverts every block above `ancestor` (null: all): deletes its rows and restores the projections' previous rows. */
export async function revertBlocks(
  db: Queryable,
  definitions: Definitions,
  ancestor: BlockRef | null,
): Promise<void> {
  const last = ancestor?.number ?? -1n;
  await inTransaction(db, async () => {
    // BRIN indexes need bitmap scans.
    await db.query("set local enable_bitmapscan to on");
    const touched: string[] = [];
    for (const table of new Set(definitions.tables.map((event) => event.table))) {
      const { rowCount } = await db.query(`delete from ${table} where block_number > $1`, [last]);
      if (rowCount !== 0) touched.push(table);
    }
    for (const { name, revert } of definitions.projections) {
      const [deleteNewer, restorePast] = revert;
      const { rowCount } = await db.query(deleteNewer, [last]);
      if (rowCount === 0) continue;
      touched.push(name);
      await db.query(restorePast, [last]);
    }
    await db.query("delete from set_aside where block_number > $1", [last]);
    await db.query("delete from block where number > $1", [last]);
    await db.query("update audit set number = least(number, $1)", [last]);
    if (ancestor === null) await db.query("delete from head");
    else {
      const { number, hash } = ancestor;
      await db.query("update head set number = $1, hash = $2 where number > $1", [number, hash]);
    }
    await db.query(announcement(ancestor ?? { number: -1n, hash: "0x" }, touched));
  });
}

export async function writeHead(db: Queryable, tier: Tier, block: BlockRef): Promise<void> {
  await db.query(headStatement(tier, block));
}

function headStatement(tier: Tier, { number, hash }: BlockRef): string {
  return `execute put_head ('${tier}', ${number}, ${pg.escapeLiteral(hash)})`;
}

/** Whether a block with this number and hash is stored. */
export async function hasBlock(db: Queryable, { number, hash }: BlockRef): Promise<boolean> {
  const { rowCount } = await db.query("select from block where number = $1 and hash = $2", [number, hash]);
  return rowCount === 1;
}

/** The origin of the stored rows; undefined when there is no schema, or its build never finished. */
export async function readOrigin(db: Queryable, schema: string): Promise<Origin | undefined> {
  const { rows: found } = await db.query<{ exists: boolean }>(
    "select to_regclass($1) is not null as exists",
    [`${pg.escapeIdentifier(schema)}.origin`],
  );
  if (found[0]?.exists !== true) return undefined;
  const { rows } = await db.query<{
    chain_id: bigint;
    start_block: bigint;
    start_hash: string;
    contracts: Origin["contracts"];
    definitions: string;
    version: number;
  }>(
    // As JSON, because an origin written before versions existed has no such column.
    `select chain_id, start_block, start_hash, contracts, definitions,
       coalesce((to_jsonb(origin) ->> 'version')::int4, 0) as version from origin`,
  );
  const row = rows[0];
  return row === undefined
    ? undefined
    : {
        chainId: Number(row.chain_id),
        startBlock: row.start_block,
        startHash: row.start_hash,
        contracts: row.contracts,
        definitions: row.definitions,
        version: row.version,
      };
}

/** Whether a row could not be stored because no event has set a column that is `not null`. */
export function isNotNullViolation(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === "23502";
}

/**
 * Whether values caused the error: a value out of range or invalid (class 22), a violated constraint (23), or a limit of the server
 * that a row exceeds (54). The same rows fail again.
 */
export function isDataError(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && /^(22|23|54)/.test(error.code ?? "");
}

function blockLine({ number, hash, parentHash, timestamp }: FollowedBlock): string {
  return `${number}\t${hash}\t${parentHash}\t${timeOf(timestamp)}\n`;
}

/** The notification of a change. Postgres delivers it when the transaction commits, so listeners find the rows. */
function announcement({ number, hash }: BlockRef, tables: string[]): string {
  const payload = toJson({ block: number, hash, tables });
  return `notify ${chainChannel}, ${pg.escapeLiteral(payload)}`;
}
