import { RetryableError } from "@ngpu/runtime/errors";
import pg from "pg";

export type Database = pg.Pool;
export type Connection = pg.PoolClient;
/** Anything that runs one statement: a pool, or a connection inside a transaction. */
export type Queryable = Pick<pg.Pool, "query">;

const int8 = 20;
const numeric = 1700;

/** int8 and numeric(78,0) are read as bigint; everything else as pg reads it. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === int8 || oid === numeric ? BigInt : pg.types.getTypeParser(oid, format as "text"),
};

/** A pool for one service. `name` is what the server shows as application_name. */
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
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => undefined);
  return pool;
}

/** Runs `work` in a transaction; anything thrown rolls it back. */
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
      // The server rolls back by itself when the connection goes.
      broken = true;
    }
    throw error;
  } finally {
    connection.release(broken);
  }
}

/** SQLSTATE classes that a further try may get over: connection, resources, operator, serialization, deadlock. */
const passing = /^(08|53|57|40)/;

/** Translates a driver fault once, at the edge. */
export function translateDatabaseError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (passing.test(code) || ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"].includes(code)) {
    return new RetryableError("Postgres does not answer.", { code: "database_unreachable", cause: error });
  }
  return error;
}
