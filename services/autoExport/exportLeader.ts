import { leaderships } from "@ngpu/db/leader";
import { type Connection, translateDatabaseError } from "@ngpu/db/pool";
import { isRetryable, RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { type ExportParts, lead } from "./leading.ts";
import { chainSchema } from "./store.ts";
import type { Proven } from "./writing.ts";

const retryPause = 1_000;
const lockPause = 250;

/**
 * Exports the chain while this instance holds the leader lock, until the signal is aborted. The lock and every write use one
 * connection. When it breaks or the process dies, Postgres releases the lock and rolls back the open transaction together, and
 * another instance takes over.
 *
 * @throws FatalError and any other error that a retry cannot resolve.
 */
export async function exportChain(parts: ExportParts): Promise<void> {
  const proven: Proven = new Map();
  while (!parts.signal.aborted) {
    try {
      await competeOnce(parts, proven);
    } catch (error) {
      if (parts.signal.aborted) return;
      if (!isRetryable(error)) throw error;
      parts.logger.warn({ event: "export_interrupted", error });
    }
    await rest(retryPause, parts.signal);
  }
}

async function competeOnce(parts: ExportParts, proven: Proven): Promise<void> {
  const lost = new AbortController();
  let connection: Connection | undefined;
  try {
    connection = await parts.pool.connect();
    connection.on("error", (error) => lost.abort(error));
    connection.on("end", () => lost.abort());
    // Keepalives release the lock of a vanished client within seconds. Commits need not wait for the disk: rows and cursor
    // are one transaction, so what Postgres loses in a crash is read from the chain again.
    await connection.query(
      `set search_path to ${chainSchema}; set synchronous_commit to off; set tcp_keepalives_idle to 2; set tcp_keepalives_interval to 1; set tcp_keepalives_count to 2`,
    );
    if (!(await takeLock(connection, parts))) return;
    parts.logger.info({ event: "export_leading" });
    await lead({ ...parts, signal: AbortSignal.any([parts.signal, lost.signal]) }, connection, proven);
    lost.signal.throwIfAborted();
  } catch (error) {
    throw lost.signal.aborted
      ? new RetryableError("The connection to Postgres broke.", {
          code: "database_unreachable",
          hint: "Wait: the export starts again. If it recurs, check that the server is up.",
          cause: error,
        })
      : translateDatabaseError(error);
  } finally {
    parts.watch.setRole("starting");
    // Closes the connection, which releases the lock.
    connection?.release(true);
  }
}

/** Waits for the leader lock. Returns false when the signal is aborted first. */
async function takeLock(connection: Connection, { signal, watch }: ExportParts): Promise<boolean> {
  while (!signal.aborted) {
    const { rows } = await connection.query<{ held: boolean }>("select pg_try_advisory_lock($1) as held", [
      leaderships.autoExport,
    ]);
    if (rows[0]?.held === true) {
      watch.setRole("starting");
      return true;
    }
    watch.setRole("standby");
    await rest(lockPause, signal);
  }
  return false;
}
