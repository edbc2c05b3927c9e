import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { migrate } from "@ngpu/db/migrate";
import { Command } from "commander";
import pg from "pg";
import { createDatabase, databaseUrl, dropDatabase } from "../../../scripts/embedded/databases.ts";
import { startPostgres } from "../../../scripts/embedded/postgres.ts";
import { startRpcProxy } from "../../support/rpcProxy.ts";
import { installPonder } from "../export/peers.ts";
import { peerTables } from "../export/tables.ts";
import { type Position, startReorgChain } from "./chain.ts";
import { type Indexer, startNgpu, startPonder } from "./indexers.ts";

/** The state of an indexer's database. */
type Stored = {
  indexer: string;
  rows: number;
  /** Rows of blocks that are on the chain. */
  canonical: number;
  /** Rows of blocks that are not. */
  orphaned: number;
  /** Events without a row. */
  missing: number;
  worstError: string | null;
};
type Result = { depth: number; before: Stored[]; after: Stored[] };

const chainId = 31_337;
const blocks = 200;
const depths = [20, 60];
// Distances of the safe and finalized heads, as an OP-stack node reports them; deeper than any reorg of the benchmark.
const heads = { safe: 100, finalized: 150 };
const timeoutMs = 90_000;

/** `npm run bench -- reorg`: the same reorg for ngpu and ponder, and the rows of each database afterwards. */
export async function run(args: string[]): Promise<void> {
  const command = new Command("bench reorg")
    .option("--json", "print the result as JSON")
    .parse(args, { from: "user" });
  const folder = join(import.meta.dirname, "../../../.ngpu/bench");
  const stateDir = join(folder, "reorg");
  mkdirSync(stateDir, { recursive: true });
  const ponder = await installPonder(folder);
  const postgres = await startPostgres({ stateDir });
  try {
    const results: Result[] = [];
    for (const depth of depths)
      results.push(await compare({ depth, stateDir, ponder, cluster: postgres.url }));
    process.stdout.write(command.opts().json ? `${JSON.stringify(results)}\n` : table(results));
  } finally {
    await postgres.stop();
  }
}

async function compare(options: {
  depth: number;
  stateDir: string;
  ponder: string;
  cluster: string;
}): Promise<Result> {
  const { depth, cluster } = options;
  const undos: (() => Promise<void>)[] = [];
  try {
    const chain = await startReorgChain(options.stateDir);
    undos.push(chain.stop);
    const proxy = await startRpcProxy({ target: chain.url, random: () => 1, heads });
    undos.push(proxy.stop);
    await chain.mine(blocks);
    const indexers: { name: string; url: string; indexer: Indexer }[] = [];
    for (const name of ["ngpu", "ponder"]) {
      const database = `reorg_${name}`;
      await dropDatabase(cluster, database);
      await createDatabase(cluster, database);
      const url = databaseUrl(cluster, database);
      undos.push(() => dropDatabase(cluster, database));
      if (name === "ngpu") await migrate(url);
      const source = { rpcUrl: proxy.url, chainId, databaseUrl: url };
      const indexer = name === "ngpu" ? startNgpu(source) : await startPonder(options.ponder, source);
      undos.push(indexer.stop);
      indexers.push({ name, url, indexer });
    }
    const settle = async () => {
      const stored: Stored[] = [];
      for (const entry of indexers) stored.push(await settled(entry, await chain.positions()));
      return stored;
    };
    await settle();
    // Every indexer follows the head before the reorg.
    await chain.mine(depth);
    const before = await settle();
    await chain.reorg(depth);
    await chain.mine(2);
    return { depth, before, after: await settle() };
  } finally {
    for (const undo of undos.reverse()) await undo();
  }
}

/** Waits until an indexer's rows equal the chain's events, up to the timeout. @returns the state of its database. */
async function settled(
  { name, url, indexer }: { name: string; url: string; indexer: Indexer },
  positions: Set<Position>,
): Promise<Stored> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const rows = await storedPositions(url, indexer.schema);
    const canonical = rows.filter((position) => positions.has(position)).length;
    const stored = {
      indexer: name,
      rows: rows.length,
      canonical,
      orphaned: rows.length - canonical,
      missing: positions.size - canonical,
      worstError: indexer.worstError() ?? null,
    };
    if ((stored.orphaned === 0 && stored.missing === 0) || Date.now() > end) return stored;
    await delay(500);
  }
}

async function storedPositions(url: string, schema: string): Promise<Position[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const selects = peerTables().map(
      ({ table }) =>
        `select block_number || ' ' || block_hash || ' ' || log_index as position from "${schema}"."${table}"`,
    );
    const { rows } = await client.query<{ position: string }>(selects.join(" union all "));
    return rows.map(({ position }) => position);
  } catch (error) {
    // The indexer has not created its tables yet.
    if (error instanceof pg.DatabaseError && error.code === "42P01") return [];
    throw error;
  } finally {
    await client.end();
  }
}

function table(results: Result[]): string {
  const lines = results.flatMap(({ depth, after }) =>
    after.map(
      ({ indexer, rows, canonical, orphaned, missing, worstError }) =>
        `| ${depth} | ${indexer} | ${rows} | ${canonical} | ${orphaned} | ${missing} | ${worstError ?? ""} |`,
    ),
  );
  return [
    "| blocks replaced | indexer | rows | on the chain | orphaned | missing | worst error |",
    "| --------------- | ------- | ---- | ------------ | -------- | ------- | ----------- |",
    ...lines,
    "",
  ].join("\n");
}
