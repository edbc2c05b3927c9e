import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPool, type Database } from "@ngpu/db/pool";
import { databaseEnv, readEnv } from "@ngpu/runtime/env";

/** File in which `npm start` stores the URL of its Postgres. */
const urlFile = join(import.meta.dirname, "../../.ngpu/database-url");

/**
 * Calls `work` with a connection to a market's Postgres: `given`, else DATABASE_URL, else the market that `npm start` runs in this
 * directory.
 */
export async function withDatabase(
  given: string | undefined,
  work: (pool: Database) => Promise<void>,
): Promise<void> {
  const local = existsSync(urlFile) ? { DATABASE_URL: readFileSync(urlFile, "utf8").trim() } : {};
  const { DATABASE_URL: url } = readEnv(databaseEnv, {
    ...local,
    ...process.env,
    ...(given === undefined ? {} : { DATABASE_URL: given }),
  });
  const pool = createPool({ url, name: "cli", max: 1 });
  try {
    await work(pool);
  } finally {
    await pool.end();
  }
}
