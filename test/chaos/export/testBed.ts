import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "@ngpu/db/migrate";
import { toJson } from "@ngpu/runtime/json";
import pg from "pg";
import { createDatabase } from "../../../scripts/embedded/databases.ts";
import { signalGroup } from "../../../scripts/embedded/leftovers.ts";
import { startPostgres } from "../../../scripts/embedded/postgres.ts";
import { testGenerations } from "../../packages/chain-reader/scriptedChain.ts";
import { deploymentDocument } from "../../services/support/deployment.ts";
import { type AnvilMarket, startAnvilMarket } from "../../support/anvilMarket.ts";
import { type RpcProxy, startRpcProxy } from "../../support/rpcProxy.ts";

export type TestBed = {
  market: AnvilMarket;
  endpoints: RpcProxy[];
  /** URL of the database with the superuser. */
  databaseUrl: string;
  /** Environment of an instance of autoExport. */
  env: Record<string, string>;
  /** Restarts Postgres. @param crash Kills it instead of shutting it down. */
  restartPostgres: (crash: boolean) => Promise<void>;
  /** The last block stored; undefined before the schema exists. */
  tip: () => Promise<{ hash: string } | undefined>;
  /** Number of stored blocks whose parent is not the previous block. */
  gaps: () => Promise<bigint>;
  /** Whether a transaction of autoExport is open. */
  isWriting: () => Promise<boolean>;
  stop: () => Promise<void>;
};

// Finalized blocks are deeper than any reorg.
const heads = { safe: 40, finalized: 100 };
const endpointCount = 3;

/** Starts a node, endpoints before it that inject faults, and a separate Postgres that can be restarted. */
export async function startTestBed(stateDir: string, random: () => number): Promise<TestBed> {
  rmSync(stateDir, { recursive: true, force: true });
  mkdirSync(stateDir, { recursive: true });
  const undos: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  };
  try {
    const market = await startAnvilMarket({ stateDir, random });
    undos.push(market.stop);
    const endpoints: RpcProxy[] = [];
    for (let index = 0; index < endpointCount; index++) {
      const endpoint = await startRpcProxy({ target: market.url, random, heads });
      undos.push(endpoint.stop);
      endpoints.push(endpoint);
    }
    let postgres = await startPostgres({ stateDir });
    const { port } = postgres;
    undos.push(() => postgres.stop());
    const databaseUrl = await createDatabase(postgres.url, "chaos");
    await migrate(databaseUrl);
    const deploymentFile = join(stateDir, "deployment.json");
    writeFileSync(deploymentFile, toJson({ ...deploymentDocument, ...testGenerations }));
    const asExporter = new URL(databaseUrl);
    asExporter.searchParams.set("options", "-c role=ngpu_autoexport");
    return {
      market,
      endpoints,
      databaseUrl,
      env: {
        CHAIN_RPC_URLS: endpoints.map(({ url }) => url).join(),
        DEPLOYMENT_FILE: deploymentFile,
        DATABASE_URL: asExporter.href,
      },
      restartPostgres: async (crash) => {
        if (crash) signalGroup(postgres.process.pid, "SIGKILL");
        await postgres.stop();
        postgres = await startPostgres({ stateDir, port });
      },
      ...queriesOf(databaseUrl),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Queries of the database. Each uses a new connection, because Postgres restarts during a trial. */
function queriesOf(url: string): Pick<TestBed, "tip" | "gaps" | "isWriting"> {
  async function query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }
  return {
    tip: async () => {
      const [found] = await query("select from pg_tables where schemaname = 'chain' and tablename = 'head'");
      if (found === undefined) return undefined;
      return (await query<{ hash: string }>("select hash from chain.head where tier = 'unsafe'"))[0];
    },
    gaps: async () => {
      const [row] = await query<{ gaps: string }>(
        `select count(*) as gaps from chain.block left join chain.block as parent on parent.number = block.number - 1
         where block.number > 1 and parent.hash is distinct from block.parent_hash`,
      );
      return BigInt(row?.gaps ?? 0);
    },
    isWriting: async () => {
      const open = await query(
        "select from pg_stat_activity where application_name = 'autoExport' and xact_start is not null",
      );
      return open.length > 0;
    },
  };
}
