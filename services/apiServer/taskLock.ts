import { randomBytes } from "node:crypto";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import pg from "pg";

/**
 * Takes a number of this process's own and holds Postgres's advisory lock of it for life: whoever gets that lock knows that the
 * process is gone, and with it what it was doing.
 */
export async function holdRunnerLock(url: string, context: ServiceContext): Promise<bigint> {
  const runner = randomBytes(8).readBigUInt64BE() >> 2n;
  const client = new pg.Client({
    connectionString: url,
    keepAlive: true,
    application_name: "apiServer tasks",
  });
  let isOver = false;
  const lost = (error: unknown) => {
    // Without the lock others take our tasks for abandoned: better to start anew.
    if (!isOver) context.fail(error);
  };
  client.on("error", lost);
  client.on("end", () => lost(new Error("The connection that holds the task lock ended.")));
  await client.connect();
  await client.query("select pg_advisory_lock($1)", [runner]);
  context.onStop("task lock", async () => {
    isOver = true;
    await client.end();
  });
  return runner;
}
