import { createFollowClient } from "@ngpu/chain-reader/client";
import { follow } from "@ngpu/chain-reader/followChain";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { type Connection, createPool, type Queryable } from "@ngpu/db/pool";
import { readEnv } from "@ngpu/runtime/env";
import { FatalError } from "@ngpu/runtime/errors";
import { start } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";
import pg from "pg";
import { buildSchema } from "./build.ts";
import { indexEvents, sourceAddresses } from "./decode.ts";
import { type Definitions, loadDefinitions } from "./definitions.ts";
import { verifyVariables } from "./env.ts";
import type { ExportParts } from "./leading.ts";
import { saveSettingAside } from "./saveSettingAside.ts";
import { chainSchema, prepareWriter, readOrigin, readTip } from "./store.ts";

/** A table's rows up to a block: their count, and their hash in the schema and in the rebuilt copy. */
export type Comparison = { table: string; rows: bigint; stored: string; rebuilt: string };

/**
 * Rebuilds everything up to the stored tip in a second schema, compares every table's rows and drops the copy. The exporter may
 * keep running.
 *
 * @param db A connection whose role may create schemas and read the stored one.
 * @throws FatalError `export_not_started` when the schema has no blocks, `chain_reorganized` on a reorg during the rebuild.
 */
export async function compareWithRebuild(
  parts: Pick<ExportParts, "client" | "deployment" | "definitions" | "logger" | "signal" | "following">,
  db: Connection,
  schema = chainSchema,
): Promise<{ block: bigint; tables: Comparison[] }> {
  const { definitions } = parts;
  const copy = `${schema}_rebuilt`;
  await db.query(`set statement_timeout to 0; set search_path to ${pg.escapeIdentifier(schema)}`);
  const origin = await readOrigin(db, schema);
  const tip = origin === undefined ? undefined : await readTip(db);
  if (origin === undefined || tip === undefined) {
    throw new FatalError(`Schema ${schema} has no blocks yet.`, {
      code: "export_not_started",
      hint: "Start autoExport first.",
    });
  }
  await db.query(`drop schema if exists ${pg.escapeIdentifier(copy)} cascade`);
  await db.query(`create schema ${pg.escapeIdentifier(copy)}`);
  try {
    await db.query(`set search_path to ${pg.escapeIdentifier(copy)}`);
    await buildSchema(db, definitions, origin);
    await prepareWriter(db, definitions);
    await replay(parts, db, tip.number);
    const tables: Comparison[] = [];
    for (const table of tablesOf(definitions)) {
      const stored = await hashTable(db, schema, table, tip.number);
      const rebuilt = await hashTable(db, copy, table, tip.number);
      tables.push({ table, rows: stored.rows, stored: stored.hash, rebuilt: rebuilt.hash });
    }
    return { block: tip.number, tables };
  } finally {
    await db.query(`drop schema if exists ${pg.escapeIdentifier(copy)} cascade`);
  }
}

/** Every table whose rows derive from the chain. */
export function tablesOf(definitions: Definitions): string[] {
  const events = new Set(definitions.tables.map(({ table }) => table));
  return ["block", "set_aside", ...events, ...definitions.projections.map(({ name }) => `${name}_history`)];
}

async function replay(
  { client, deployment, definitions, logger, signal, following }: Parameters<typeof compareWithRebuild>[0],
  db: Connection,
  last: bigint,
): Promise<void> {
  const find = indexEvents(definitions.tables, deployment);
  const steps = follow({
    ...following,
    client,
    addresses: sourceAddresses(definitions.tables, deployment),
    from: deployment.startBlock,
    cursor: { recent: async () => [] },
    signal,
    logger,
  });
  for await (const step of steps) {
    if (step.type === "reorg") {
      throw new FatalError("The chain was reorganized during the rebuild.", {
        code: "chain_reorganized",
        hint: "Run the command again.",
      });
    }
    const blocks = step.blocks.filter(({ number }) => number <= last);
    await saveSettingAside({ db, definitions, find }, blocks, { silent: true });
    if ((step.blocks.at(-1)?.number ?? 0n) >= last) return;
  }
  signal.throwIfAborted();
}

/** Count and hash of a table's rows, sorted as text; versions as they were at block `last`. */
async function hashTable(
  db: Queryable,
  schema: string,
  table: string,
  last: bigint,
): Promise<{ rows: bigint; hash: string }> {
  const name = `${pg.escapeIdentifier(schema)}.${table}`;
  const number = table === "block" ? "number" : "block_number";
  const source = table.endsWith("_history")
    ? `select to_jsonb(v) || jsonb_build_object('valid_to', case when v.valid_to <= $1 then v.valid_to end) as row
       from ${name} as v where v.valid_from <= $1`
    : `select to_jsonb(e) as row from ${name} as e where e.${number} <= $1`;
  const { rows } = await db.query<{ rows: bigint; hash: string | null }>(
    `select count(*) as rows, md5(string_agg(md5(row::text), '' order by row::text)) as hash from (${source}) as t`,
    [last],
  );
  return { rows: rows[0]?.rows ?? 0n, hash: rows[0]?.hash ?? "" };
}

async function main(): Promise<void> {
  const env = readEnv(verifyVariables);
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  const logger = createLogger("verify", env.LOG_LEVEL);
  const ending = new AbortController();
  const { signal } = ending;
  // The comparison hashes whole tables.
  const pool = createPool({
    url: env.DATABASE_ADMIN_URL,
    name: "export verify",
    max: 1,
    deadlines: { answer: 0 },
  });
  const db = await pool.connect();
  const { block, tables } = await compareWithRebuild(
    {
      client: createFollowClient({
        rpcUrls: env.CHAIN_RPC_URLS,
        chainId: deployment.chainId,
        logger,
        signal,
      }),
      deployment,
      definitions: loadDefinitions(),
      logger,
      signal,
    },
    db,
  );
  ending.abort();
  db.release();
  await pool.end();
  for (const { table, rows, stored, rebuilt } of tables) {
    const verdict = stored === rebuilt ? "same" : "DIFFERS";
    process.stdout.write(`${verdict}\t${table}\t${rows} rows\t${stored}\t${rebuilt}\n`);
  }
  const differing = tables.filter(({ stored, rebuilt }) => stored !== rebuilt);
  process.stdout.write(
    `Up to block ${block}: ${tables.length - differing.length} same, ${differing.length} differ\n`,
  );
  if (differing.length > 0) process.exitCode = 1;
}

if (import.meta.main) await start(main);
