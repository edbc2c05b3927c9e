import pg from "pg";
import { errorCode } from "./leftovers.ts";

/** The URL of another database of the same cluster. */
export function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${encodeURIComponent(name)}`;
  return other.href;
}

/**
 * Creates a database, empty or as a copy of a template that has no connections.
 *
 * @param url any other database of the cluster, usually the maintenance one
 * @returns the new database's URL
 * @throws pg's DatabaseError, such as 42P04 when the name is taken
 */
export async function createDatabase(url: string, name: string, template?: string): Promise<string> {
  const copy = template === undefined ? "" : ` template ${pg.escapeIdentifier(template)}`;
  await query(url, `create database ${pg.escapeIdentifier(name)}${copy}`);
  return databaseUrl(url, name);
}

const OBJECT_IN_USE = "55006";

/**
 * Drops a database if it exists. Postgres first waits some seconds for sessions that are about to end, because a
 * terminated session is an error in its program. It terminates the others.
 */
export async function dropDatabase(url: string, name: string): Promise<void> {
  const drop = `drop database if exists ${pg.escapeIdentifier(name)}`;
  try {
    await query(url, drop);
  } catch (error) {
    if (errorCode(error) !== OBJECT_IN_USE) throw error;
    await query(url, `${drop} with (force)`);
  }
}

/** True when the cluster answers a query; throws the error of the connection otherwise. */
export async function answers(url: string): Promise<boolean> {
  const rows = await query(url, "select 1 as one");
  return rows.length === 1;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A session that the server ends is reported here and by the query. The query throws the error.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
