import { mkdirSync, rmSync } from "node:fs";
import { migrate } from "@ngpu/db/migrate";
import { createPool, type Database } from "@ngpu/db/pool";
import { createDatabase } from "../../../scripts/embedded/databases.ts";
import { signalGroup } from "../../../scripts/embedded/leftovers.ts";
import { startPostgres } from "../../../scripts/embedded/postgres.ts";
import { startRedis } from "../../../scripts/embedded/redis.ts";
import { createChainTables } from "../../services/support/chainTables.ts";
import { asRole } from "../../services/support/context.ts";

export type TestBed = {
  /** As the superuser. */
  db: Database;
  /** Environment of an instance of webhooks. */
  env: Record<string, string>;
  /** Kills Postgres and starts it again. */
  crashPostgres: () => Promise<void>;
  /** Kills Redis, which loses all its data, and starts it again. */
  loseRedis: () => Promise<void>;
  stop: () => Promise<void>;
};

/** Starts a Postgres and a Redis of its own, which can be killed. */
export async function startTestBed(stateDir: string): Promise<TestBed> {
  rmSync(stateDir, { recursive: true, force: true });
  mkdirSync(stateDir, { recursive: true });
  const print = () => undefined;
  let postgres = await startPostgres({ stateDir });
  let redis = await startRedis({ stateDir, print });
  const { port: postgresPort } = postgres;
  const { port: redisPort, url: redisUrl } = redis;
  const password = decodeURIComponent(new URL(redisUrl).password);
  const databaseUrl = await createDatabase(postgres.url, "chaos");
  await migrate(databaseUrl);
  const db = createPool({ url: databaseUrl, name: "chaos", max: 8 });
  await createChainTables(db);
  return {
    db,
    env: { DATABASE_URL: asRole(databaseUrl, "ngpu_webhooks"), REDIS_URL: redisUrl },
    crashPostgres: async () => {
      signalGroup(postgres.process.pid, "SIGKILL");
      await postgres.stop();
      postgres = await startPostgres({ stateDir, port: postgresPort });
    },
    loseRedis: async () => {
      signalGroup(redis.process.pid, "SIGKILL");
      await redis.stop();
      redis = await startRedis({ stateDir, print, port: redisPort, password });
    },
    stop: async () => {
      await db.end();
      await redis.stop();
      await postgres.stop();
    },
  };
}
