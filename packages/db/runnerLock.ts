import { randomBytes } from "node:crypto";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { openHeldConnection } from "./heldConnection.ts";
import { type Database, transaction } from "./pool.ts";

/**
 * Picks a random number and holds the Postgres advisory lock of it until the process ends. Another instance that acquires the
 * lock knows that the process has ended, and that its claims and tasks are abandoned.
 *
 * @returns The number.
 */
export async function holdRunnerLock(
  url: string,
  context: Pick<ServiceContext, "fail" | "onStop">,
  name: string,
): Promise<bigint> {
  const runner = randomBytes(8).readBigUInt64BE() >> 2n;
  const { client, lost, close } = await openHeldConnection({ url, name });
  let isStopped = false;
  // Without the lock other instances treat our work as abandoned, so the process must restart.
  const fail = () => {
    if (!isStopped) context.fail(lost.reason);
  };
  lost.addEventListener("abort", fail, { once: true });
  await client.query("select pg_advisory_lock($1)", [runner]);
  context.onStop(`lock of ${name}`, async () => {
    isStopped = true;
    await close();
  });
  return runner;
}

/**
 * Releases what processes that have ended left behind. The lock of a process is held until its work is released, so that the work of
 * a process that runs is never touched.
 *
 * @param work.open SQL: the column `runner` of work in progress.
 * @param work.release SQL: releases the work of runner $1.
 * @returns Number of rows released.
 */
export async function releaseAbandoned(
  db: Database,
  self: bigint,
  work: { open: string; release: string },
): Promise<number> {
  const { rows } = await db.query<{ runner: bigint }>(
    `select distinct runner from (${work.open}) as open where runner <> $1`,
    [self],
  );
  let released = 0;
  for (const { runner } of rows) {
    released += await transaction(db, async (connection) => {
      const found = await connection.query<{ gone: boolean }>(
        "select pg_try_advisory_xact_lock($1) as gone",
        [runner],
      );
      if (found.rows[0]?.gone !== true) return 0;
      return (await connection.query(work.release, [runner])).rowCount ?? 0;
    });
  }
  return released;
}
