import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { RetryableError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { rest } from "@ngpu/runtime/loop";
import { type HeldConnection, type HeldOptions, openHeldConnection } from "./heldConnection.ts";
import { type Database, transaction } from "./pool.ts";

/** Milliseconds between attempts to connect and lock again. */
const retryInterval = 250;

/**
 * Milliseconds for which a lock must be free before its process's work is released: a process that still runs locks it again by
 * then, where only its connection or Postgres ended.
 */
const releaseDelay = 3_000;

type LockOptions = Pick<HeldOptions, "url" | "deadlines" | "checkInterval"> & { name: string };
type LockContext = Pick<ServiceContext, "fail" | "onStop" | "logger">;

/**
 * Picks a random number and holds the Postgres advisory lock of it until the process ends. Another instance that acquires the
 * lock knows that the process has ended, and that its claims and tasks are abandoned.
 *
 * The lock is taken again when its connection breaks. If another instance released the work meanwhile, the process fails, since what it
 * began is no longer its own (ADR 73).
 *
 * @returns The number.
 */
export async function holdRunnerLock(options: LockOptions, context: LockContext): Promise<bigint> {
  const runner = randomBytes(8).readBigUInt64BE() >> 2n;
  const stop = new AbortController();
  const first = await lock(options, runner);
  await first.client.query(
    "delete from app.runner where started_at < now() - interval '7 days' and pg_try_advisory_xact_lock(runner)",
  );
  await first.client.query("insert into app.runner (runner, name) values ($1, $2)", [runner, options.name]);
  const held = keepHeld({ options, context, runner, signal: stop.signal }, first);
  context.onStop(`lock of ${options.name}`, async () => {
    stop.abort();
    await held;
  });
  return runner;
}

/** Holds the lock until the signal, on one connection after the other. */
async function keepHeld(
  of: { options: LockOptions; context: LockContext; runner: bigint; signal: AbortSignal },
  first: HeldConnection,
): Promise<void> {
  const { context, runner, signal } = of;
  let current: HeldConnection | undefined = first;
  while (current !== undefined) {
    const ended = AbortSignal.any([signal, current.lost]);
    if (!ended.aborted) await once(ended, "abort");
    if (signal.aborted)
      await current.client.query("delete from app.runner where runner = $1", [runner]).catch(() => undefined);
    else context.logger.warn({ event: "runner_lock_lost", error: current.lost.reason });
    await current.close();
    current = await lockAgain(of);
  }
}

/** Locks again; undefined once the signal is aborted or the work is no longer this process's own. */
async function lockAgain({
  options,
  context,
  runner,
  signal,
}: Parameters<typeof keepHeld>[0]): Promise<HeldConnection | undefined> {
  while (!signal.aborted) {
    let connection: HeldConnection | undefined;
    try {
      connection = await lock(options, runner);
      const { rowCount } = await connection.client.query("select from app.runner where runner = $1", [
        runner,
      ]);
      if (rowCount !== 0) return connection;
      await connection.close();
      context.fail(workReleased());
      return undefined;
    } catch (error) {
      context.logger.debug({ event: "runner_lock_retried", error });
      await connection?.close();
    }
    await rest(retryInterval, signal);
  }
  return undefined;
}

async function lock(options: LockOptions, runner: bigint): Promise<HeldConnection> {
  const connection = await openHeldConnection(options);
  try {
    await connection.client.query("select pg_advisory_lock($1)", [runner]);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function workReleased(): RetryableError {
  return new RetryableError("Another instance released this one's work while it could not reach Postgres.", {
    code: "runner_work_released",
    hint: "It starts again by itself. Check the network between this service and Postgres.",
  });
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
    `select runner from (select distinct runner from (${work.open}) as open where runner <> $1) as other
     where pg_try_advisory_xact_lock(runner)`,
    [self],
  );
  if (rows.length > 0) await delay(releaseDelay);
  let released = 0;
  for (const { runner } of rows) {
    released += await transaction(db, async (connection) => {
      const found = await connection.query<{ gone: boolean }>(
        "select pg_try_advisory_xact_lock($1) as gone",
        [runner],
      );
      if (found.rows[0]?.gone !== true) return 0;
      await connection.query("delete from app.runner where runner = $1", [runner]);
      return (await connection.query(work.release, [runner])).rowCount ?? 0;
    });
  }
  return released;
}
