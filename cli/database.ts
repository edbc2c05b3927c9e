import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createPool, type Database } from "@ngpu/db/pool";
import { databaseEnv, readEnv } from "@ngpu/runtime/env";

/** What `npm start` leaves in its folder: the address of its Postgres, for who may read that folder. */
const startedHere = join(import.meta.dirname, "../.ngpu/database-url");

/** Calls `work` with a market's Postgres: the one given, that of DATABASE_URL, or that of the market that was started here. */
export async function withDatabase(
  given: string | undefined,
  work: (pool: Database) => Promise<void>,
): Promise<void> {
  const here = existsSync(startedHere) ? { DATABASE_URL: readFileSync(startedHere, "utf8").trim() } : {};
  const { DATABASE_URL: url } = readEnv(databaseEnv, {
    ...here,
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
