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
import { type Place, startReorgChain } from "./chain.ts";
import { type Indexer, startNgpu, startPonder } from "./indexers.ts";

/** What a database holds: rows of blocks that are on the chain, of blocks that are not, and events without a row. */
type Held = {
  indexer: string;
  rows: number;
  right: number;
  void: number;
  missing: number;
  said: string | null;
};
type Result = { depth: number; before: Held[]; after: Held[] };

const chainId = 31_337;
const blocks = 200;
const depths = [20, 60];
// The chain's own word on finality, as an OP-stack node gives it, farther back than any of the reorgs.
const heads = { safe: 100, finalized: 150 };
const patienceMs = 90_000;

/** `npm run bench -- reorg`: the same reorg for ngpu and ponder, and what each database then holds. */
export async function run(args: string[]): Promise<void> {
  const command = new Command("bench reorg")
    .option("--json", "the result as JSON")
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
      const given = { rpcUrl: proxy.url, chainId, databaseUrl: url };
      const indexer = name === "ngpu" ? startNgpu(given) : await startPonder(options.ponder, given);
      undos.push(indexer.stop);
      indexers.push({ name, url, indexer });
    }
    const settle = async () => {
      const held: Held[] = [];
      for (const entry of indexers) held.push(await settled(entry, await chain.places()));
      return held;
    };
    await settle();
    // So that all of them follow the head when it changes.
    await chain.mine(depth);
    const before = await settle();
    await chain.reorg(depth);
    await chain.mine(2);
    return { depth, before, after: await settle() };
  } finally {
    for (const undo of undos.reverse()) await undo();
  }
}

/** What an indexer holds once that is what is on the chain, or once it has had its time. */
async function settled(
  { name, url, indexer }: { name: string; url: string; indexer: Indexer },
  places: Set<Place>,
): Promise<Held> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const stored = await storedPlaces(url, indexer.schema);
    const right = stored.filter((place) => places.has(place)).length;
    const held = {
      indexer: name,
      rows: stored.length,
      right,
      void: stored.length - right,
      missing: places.size - right,
      said: indexer.said() ?? null,
    };
    if ((held.void === 0 && held.missing === 0) || Date.now() > end) return held;
    await delay(500);
  }
}

async function storedPlaces(url: string, schema: string): Promise<Place[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const selects = peerTables().map(
      ({ table }) =>
        `select block_number || ' ' || block_hash || ' ' || log_index as place from "${schema}"."${table}"`,
    );
    const { rows } = await client.query<{ place: string }>(selects.join(" union all "));
    return rows.map(({ place }) => place);
  } catch (error) {
    // Before an indexer has made its tables.
    if (error instanceof pg.DatabaseError && error.code === "42P01") return [];
    throw error;
  } finally {
    await client.end();
  }
}

function table(results: Result[]): string {
  const lines = results.flatMap(({ depth, after }) =>
    after.map(
      (held) =>
        `| ${depth} | ${held.indexer} | ${held.rows} | ${held.right} | ${held.void} | ${held.missing} | ${held.said ?? ""} |`,
    ),
  );
  return [
    "| blocks replaced | indexer | rows | on the chain | of void blocks | missing | says |",
    "| --------------- | ------- | ---- | ------------ | -------------- | ------- | ---- |",
    ...lines,
    "",
  ].join("\n");
}
