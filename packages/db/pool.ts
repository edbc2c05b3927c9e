import { RetryableError } from "@ngpu/runtime/errors";
import pg from "pg";

export type Database = pg.Pool;
export type Connection = pg.PoolClient;
/** A pool, or a connection inside a transaction. */
export type Queryable = Pick<pg.Pool, "query">;

/** Deadlines of a pool's connections, in milliseconds; 0 for none. */
export const poolDeadlines = {
  /** @deadline A connection to Postgres, sign-in included, or a free place in the pool. The caller's work fails and is tried again. */
  connect: 10_000,
  /** @deadline A statement, waits for locks included. Postgres cancels it and rolls back its transaction. */
  statement: 60_000,
  /** @deadline An answer of Postgres, which may be gone. The connection is closed and its place in the pool is free. */
  answer: 65_000,
  /** @deadline The next statement of a transaction. Postgres ends the connection, which frees its locks. */
  nextStatement: 60_000,
};

export type PoolDeadlines = typeof poolDeadlines;

const int8 = 20;
const numeric = 1700;

/** Parses int8 and numeric(78,0) as bigint; other types use the parsers of pg. */
const types = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === int8 || oid === numeric ? BigInt : pg.types.getTypeParser(oid, format as "text"),
};

/** A connection pool for one service. `name` is the application_name; `max` defaults to 10 connections. */
export function createPool(options: {
  url: string;
  name: string;
  max?: number;
  deadlines?: Partial<PoolDeadlines>;
}): Database {
  const deadlines = { ...poolDeadlines, ...options.deadlines };
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.name,
    max: options.max ?? 10,
    types: types as unknown as pg.CustomTypesConfig,
    keepAlive: true,
    connectionTimeoutMillis: deadlines.connect,
    statement_timeout: deadlines.statement,
    query_timeout: deadlines.answer,
    idle_in_transaction_session_timeout: deadlines.nextStatement,
  });
  // The pool replaces a broken idle connection. Without a listener the error would end the process.
  pool.on("error", () => undefined);
  // So does that of a connection in use which ends between two statements. The next statement on it fails.
  pool.on("connect", (connection) => connection.on("error", () => undefined));
  return withTypedSilence(pool);
}

/** Translates the errors of a silent Postgres. Others keep the driver's class, with its SQLSTATE. */
function withTypedSilence(pool: Database): Database {
  const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
  const connect = pool.connect.bind(pool) as (...given: unknown[]) => Promise<unknown>;
  const typed =
    (call: (...given: unknown[]) => Promise<unknown>) =>
    async (...given: unknown[]) => {
      try {
        return await call(...given);
      } catch (error) {
        throw isSilence(error) ? unreachable(error) : error;
      }
    };
  // The pool calls its own `connect` with a callback.
  const typedConnect = typed(connect);
  return Object.assign(pool, {
    query: typed(query),
    connect: (...given: unknown[]) =>
      typeof given[0] === "function" ? connect(...given) : typedConnect(...given),
  });
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
    // The server rolls back when the connection is closed. A silent one would not answer to the rollback either.
    broken = isSilence(error) || !(await rolledBack(connection));
    throw isSilence(error) ? unreachable(error) : error;
  } finally {
    connection.release(broken);
  }
}

function rolledBack(connection: Connection): Promise<boolean> {
  return connection.query("rollback").then(
    () => true,
    () => false,
  );
}

/** Transient SQLSTATE classes: connection, resources, operator intervention, serialization and deadlock. */
const transientClasses = /^(08|53|57|40)/;

/** What pg says when Postgres is silent or gone. It gives these errors neither code nor class. */
const silences = new Set([
  "Query read timeout",
  "timeout exceeded when trying to connect",
  "timeout expired",
  "Connection terminated due to connection timeout",
  "Connection terminated unexpectedly",
  "Connection terminated",
  // Said of a statement after the one that met the end of its connection.
  "Client has encountered a connection error and is not queryable",
]);

function isSilence(error: unknown): boolean {
  return error instanceof Error && silences.has(error.message);
}

function unreachable(cause: unknown): RetryableError {
  return new RetryableError("Postgres does not answer.", {
    code: "database_unreachable",
    hint: "Try again in a few seconds. If it persists, check DATABASE_URL and that the server is up.",
    cause,
  });
}

/** Translates a driver error once, at the edge: a transient one becomes RetryableError `database_unreachable`. */
export function translateDatabaseError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const isBroken = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT"].includes(code);
  return transientClasses.test(code) || isBroken || isSilence(error) ? unreachable(error) : error;
}
