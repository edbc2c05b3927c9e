import { randomBytes } from "node:crypto";
import { openHeldConnection } from "@ngpu/db/heldConnection";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";

/**
 * Picks a random number and holds the Postgres advisory lock of it until the process ends. Another instance that acquires the
 * lock knows that the process has ended and its tasks are abandoned.
 *
 * @returns The number.
 */
export async function holdRunnerLock(url: string, context: ServiceContext): Promise<bigint> {
  const runner = randomBytes(8).readBigUInt64BE() >> 2n;
  const { client, lost, close } = await openHeldConnection({ url, name: "apiServer tasks" });
  let isStopped = false;
  // Without the lock other instances treat our tasks as abandoned, so the process must restart.
  const fail = () => {
    if (!isStopped) context.fail(lost.reason);
  };
  lost.addEventListener("abort", fail, { once: true });
  await client.query("select pg_advisory_lock($1)", [runner]);
  context.onStop("task lock", async () => {
    isStopped = true;
    await close();
  });
  return runner;
}
