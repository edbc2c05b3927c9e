import { RetryableError } from "@ngpu/runtime/errors";
import pg from "pg";

export type Database = pg.Pool;
export type Connection = pg.PoolClient;
/** A pool, or a connection inside a transaction. */
export type Queryable = Pick<pg.Pool, "query">;

const int8 = 20;
const numeric = 1700;

/** Parses int8 and numeric(78,0) as bigint; other types use the parsers of pg. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === int8 || oid === numeric ? BigInt : pg.types.getTypeParser(oid, format as "text"),
};

/** A connection pool for one service. `name` is the application_name; `max` defaults to 10 connections. */
export function createPool(options: { url: string; name: string; max?: number }): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.max ?? 10,
    types: types as unknown as pg.CustomTypesConfig,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 60_000,
  });
  // The pool replaces a broken idle connection. Without a listener the error would end the process.
  pool.on("error", () => undefined);
  return pool;
}

/** Runs `work` in a transaction. Any error rolls it back and is thrown. */
export async function transaction<Result>(
  pool: Database,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const connection = await pool.connect();
  let broken = false;
  try {
    await connection.query("begin");
    const result = await work(connection);
    await connection.query("commit");
    return result;
  } catch (error) {
    try {
      await connection.query("rollback");
    } catch {
      // The server rolls back when the connection is closed.
      broken = true;
    }
    throw error;
  } finally {
    connection.release(broken);
  }
}

/** Transient SQLSTATE classes: connection, resources, operator intervention, serialization and deadlock. */
const transientClasses = /^(08|53|57|40)/;

/** Translates a driver error once, at the edge: a transient one becomes RetryableError `database_unreachable`. */
export function translateDatabaseError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (transientClasses.test(code) || ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"].includes(code)) {
    return new RetryableError("Postgres does not answer.", {
      code: "database_unreachable",
      hint: "Try again in a few seconds. If it persists, check DATABASE_URL and that the server is up.",
      cause: error,
    });
  }
  return error;
}
