import pg from "pg";
import type { FollowedBlock } from "../shared/chain/blocks.ts";
import type { BlockRef } from "../shared/chain/reconcile.ts";
import { chainChannel } from "../shared/db/listen.ts";
import type { Connection, Queryable } from "../shared/db/pool.ts";
import { toJson } from "../shared/json.ts";
import { copyRows } from "./copy.ts";
import type { Origin } from "./decide.ts";
import { type EventRows, timeOf } from "./decode.ts";
import type { Definitions } from "./definitions.ts";

export type Tier = "unsafe" | "safe" | "finalized";

/** Where the last block's rows are visible: nothing is stored of blocks above it. */
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

/** Runs `work` in a transaction on the one connection that writes. */
export async function inTransaction<Result>(db: Queryable, work: () => Promise<Result>): Promise<Result> {
  await db.query("begin");
  try {
    const result = await work();
    await db.query("commit");
    return result;
  } catch (error) {
    // A connection that is gone took the transaction with it, and what broke it is the error that counts.
    await db.query("rollback").catch(() => undefined);
    throw error;
  }
}

/** Stores the next blocks with their events, brings the projections up to them and, unless silent, tells listeners. */
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
  await inTransaction(db, async () => {
    await insertBlocks(db, blocks);
    for (const [table, { lines }] of rows) await copyRows(db, table, lines);
    const touched = definitions.projections.filter(({ sources }) => sources.some((table) => rows.has(table)));
    for (const { apply } of touched) await db.query(apply, [first.number, last.number]);
    await writeHead(db, "unsafe", last);
    if (!silent) await announce(db, last.number, [...rows.keys(), ...touched.map(({ name }) => name)]);
  });
}

/** Takes back every block above `ancestor` (null: all): rows go, versions that they ended are present again. */
export async function revertBlocks(
  db: Queryable,
  definitions: Definitions,
  ancestor: BlockRef | null,
): Promise<void> {
  const last = ancestor?.number ?? -1n;
  await inTransaction(db, async () => {
    const touched: string[] = [];
    for (const table of new Set(definitions.tables.map((event) => event.table))) {
      const { rowCount } = await db.query(`delete from ${table} where block_number > $1`, [last]);
      if (rowCount !== 0) touched.push(table);
    }
    for (const { name } of definitions.projections) {
      const gone = await db.query(`delete from ${name}_history where valid_from > $1`, [last]);
      const back = await db.query(`update ${name}_history set valid_to = null where valid_to > $1`, [last]);
      if (gone.rowCount !== 0 || back.rowCount !== 0) touched.push(name);
    }
    await db.query("delete from block where number > $1", [last]);
    if (ancestor === null) await db.query("delete from head");
    else {
      const { number, hash } = ancestor;
      await db.query("update head set number = $1, hash = $2 where number > $1", [number, hash]);
    }
    await announce(db, last, touched);
  });
}

export async function writeHead(db: Queryable, tier: Tier, { number, hash }: BlockRef): Promise<void> {
  await db.query(
    `insert into head (tier, number, hash) values ($1, $2, $3)
     on conflict (tier) do update set number = excluded.number, hash = excluded.hash`,
    [tier, number, hash],
  );
}

/** Whether this very block is stored. */
export async function holdsBlock(db: Queryable, { number, hash }: BlockRef): Promise<boolean> {
  const { rowCount } = await db.query("select from block where number = $1 and hash = $2", [number, hash]);
  return rowCount === 1;
}

/** What the stored rows were read from; undefined when there is no schema yet, or one that was never finished. */
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
    contracts: Record<string, string>;
    definitions: string;
  }>("select chain_id, start_block, start_hash, contracts, definitions from origin");
  const row = rows[0];
  return row === undefined
    ? undefined
    : {
        chainId: Number(row.chain_id),
        startBlock: row.start_block,
        startHash: row.start_hash,
        contracts: row.contracts,
        definitions: row.definitions,
      };
}

async function insertBlocks(db: Connection, blocks: readonly FollowedBlock[]): Promise<void> {
  const lines = blocks.map(
    ({ number, hash, parentHash, timestamp }) => `${number}\t${hash}\t${parentHash}\t${timeOf(timestamp)}\n`,
  );
  await copyRows(db, "block", lines.join(""));
}

/** Postgres delivers it when the transaction commits, so listeners find the rows. */
async function announce(db: Queryable, block: bigint, tables: string[]): Promise<void> {
  await db.query("select pg_notify($1, $2)", [chainChannel, toJson({ block, tables })]);
}
