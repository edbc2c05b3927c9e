import { randomBytes } from "node:crypto";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import pg from "pg";

/**
 * Picks a random number and holds the Postgres advisory lock of it until the process ends. Another instance that acquires the
 * lock knows that the process has ended and its tasks are abandoned.
 *
 * @returns The number.
 */
export async function holdRunnerLock(url: string, context: ServiceContext): Promise<bigint> {
  const runner = randomBytes(8).readBigUInt64BE() >> 2n;
  const client = new pg.Client({
    connectionString: url,
    keepAlive: true,
    application_name: "apiServer tasks",
  });
  let isStopped = false;
  const lost = (error: unknown) => {
    // Without the lock other instances treat our tasks as abandoned, so the process must restart.
    if (!isStopped) context.fail(error);
  };
  client.on("error", lost);
  client.on("end", () => lost(new Error("The connection that holds the task lock ended.")));
  await client.connect();
  await client.query("select pg_advisory_lock($1)", [runner]);
  context.onStop("task lock", async () => {
    isStopped = true;
    await client.end();
  });
  return runner;
}
