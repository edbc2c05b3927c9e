import { type Definitions, loadDefinitions } from "@ngpu/auto-export/definitions";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { createPool, type Database, type Queryable } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import { Registry } from "prom-client";
import { exportChain } from "../../../services/autoExport/exportLeader.ts";
import type { ExportParts } from "../../../services/autoExport/leading.ts";
import { createWatch } from "../../../services/autoExport/metrics.ts";
import { tablesOf } from "../../../services/autoExport/verify.ts";
import {
  type ScriptedChain,
  type ScriptedLog,
  testGenerations,
} from "../../packages/chain-reader/scriptedChain.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { eventually } from "../support/context.ts";
import type { createMarket } from "./market.ts";

export const silent = createLogger("test", "silent");

export const deployment: Pick<Deployment, "chainId" | "startBlock" | "contracts" | "previous"> = {
  chainId: 31337,
  startBlock: 1n,
  ...testGenerations,
};

/** The URL of the database with the role of a service. */
export function urlAs(database: TestDatabase, role: string): string {
  const url = new URL(database.url);
  url.searchParams.set("options", `-c role=${role}`);
  return url.href;
}

export type Exporter = {
  stop: () => Promise<void>;
  ended: Promise<unknown>;
  watch: ReturnType<typeof createWatch>;
};

/** Starts an instance of the exporter with its own role. */
export function startExporter(
  database: TestDatabase,
  client: ExportParts["client"],
  options: Partial<ExportParts> = {},
): Exporter {
  const abort = new AbortController();
  const pool = createPool({ url: urlAs(database, "ngpu_autoexport"), name: "autoExport", max: 2 });
  const watch = createWatch(new Registry());
  const ended = exportChain({
    pool,
    client,
    deployment,
    definitions: loadDefinitions(),
    watch,
    logger: silent,
    signal: abort.signal,
    following: { interval: 2 },
    // The scripted chain has no receipts.
    audit: { blocks: 0 },
    ...options,
  }).catch((error: unknown) => error);
  const stop = async () => {
    if (abort.signal.aborted) return;
    abort.abort();
    await ended;
    await pool.end();
  };
  return { stop, ended, watch };
}

/** A migrated database, and a superuser's pool with schema `chain` in its search path. */
export async function setup(): Promise<{ database: TestDatabase; db: Database; drop: () => Promise<void> }> {
  const database = await createTestDatabase();
  const url = new URL(database.url);
  url.searchParams.set("options", "-c search_path=chain");
  const db = createPool({ url: url.href, name: "test", max: 2 });
  return {
    database,
    db,
    drop: async () => {
      await db.end();
      await database.drop();
    },
  };
}

/** Deletes the rows of schema `chain`, but not its origin. To build the schema again takes ten times as long. */
export async function emptyChain(db: Queryable): Promise<void> {
  await db.query(`do $$
declare
  target record;
begin
  for target in
    select c.oid::regclass as name from pg_class c
    where c.relnamespace = 'chain'::regnamespace and c.relkind = 'r' and c.relname not in ('origin', 'contract')
  loop
    execute format('delete from %s', target.name);
  end loop;
end
$$`);
}

/** Mines the market's next block. @param given Logs to mine instead of those of its acts. */
export function mineNext(
  chain: ScriptedChain,
  market: ReturnType<typeof createMarket>,
  acts: number,
  given?: ScriptedLog[],
): void {
  const { logs, settle } = market.next(chain.head().hash, acts);
  chain.mine(given ?? logs);
  settle(chain.head().hash);
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => Promise<boolean>, deadline = 30_000): Promise<void> {
  await eventually(what, holds, deadline);
}

/** The last block stored; undefined before the schema exists. */
export async function tipOf(db: Database): Promise<BlockRef | undefined> {
  const { rows: found } = await db.query("select to_regclass('chain.head') is not null as there");
  if (found[0].there !== true) return undefined;
  const { rows } = await db.query<BlockRef>("select number, hash from chain.head where tier = 'unsafe'");
  return rows[0];
}

export async function untilStored(db: Database, chain: ScriptedChain): Promise<void> {
  await until(
    "the chain's head is stored",
    async () => (await tipOf(db))?.hash === chain.head().hash,
    20_000,
  );
}

/** Every row of every table that derives from the chain, as text. */
export async function dump(db: Database, definitions: Definitions = loadDefinitions()) {
  const tables: Record<string, string[]> = {};
  for (const table of tablesOf(definitions)) {
    const { rows } = await db.query<{ row: string }>(
      `select to_jsonb(t)::text as row from chain.${table} as t order by 1`,
    );
    tables[table] = rows.map(({ row }) => row);
  }
  return tables;
}
