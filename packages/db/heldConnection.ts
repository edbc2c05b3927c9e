import { once } from "node:events";
import { rest } from "@ngpu/runtime/loop";
import pg from "pg";
import { translateDatabaseError } from "./pool.ts";

/** Deadlines of a connection that is held while it is idle, in milliseconds. */
export const heldDeadlines = {
  /** @deadline A connection that holds a lock or listens. It is opened again a second later. */
  connect: 10_000,
  /** @deadline An answer on a connection that holds a lock or listens. The connection is lost: its lock counts as free. */
  answer: 15_000,
  /** @deadline The end of such a connection. Its socket is destroyed. */
  close: 2_000,
};

/** Milliseconds between checks that Postgres still answers. */
const checkInterval = 5_000;

export type HeldOptions = {
  url: string;
  name?: string;
  deadlines?: Partial<typeof heldDeadlines>;
  /** Milliseconds between checks that Postgres still answers. Default 5,000. */
  checkInterval?: number;
};

/** A connection that is held for its lock or its notifications. */
export type HeldConnection = {
  client: pg.Client;
  /** Aborted, with the reason, when the connection breaks or Postgres no longer answers on it. */
  lost: AbortSignal;
  close(): Promise<void>;
};

/**
 * Opens a connection and asks Postgres regularly whether it still answers. A network that drops packets closes no connection: without
 * the question, an idle one would never be found broken.
 *
 * @throws RetryableError `database_unreachable`, or the driver's error.
 */
export async function openHeldConnection(options: HeldOptions): Promise<HeldConnection> {
  const deadlines = { ...heldDeadlines, ...options.deadlines };
  const client = new pg.Client({
    connectionString: options.url,
    keepAlive: true,
    connectionTimeoutMillis: deadlines.connect,
    query_timeout: deadlines.answer,
    ...(options.name !== undefined && { application_name: options.name }),
  });
  const lost = new AbortController();
  client.on("error", (error) => lost.abort(error));
  client.on("end", () => lost.abort(new Error("The connection to Postgres ended.")));
  const close = () => closeClient(client, deadlines.close);
  try {
    await client.connect();
  } catch (error) {
    await close();
    throw translateDatabaseError(error);
  }
  void check(client, lost, options.checkInterval ?? checkInterval);
  return { client, lost: lost.signal, close };
}

async function check(client: pg.Client, lost: AbortController, interval: number): Promise<void> {
  while (!lost.signal.aborted) {
    await rest(interval, lost.signal);
    if (lost.signal.aborted) return;
    await client.query("select").catch((error: unknown) => lost.abort(translateDatabaseError(error)));
  }
}

/** Closes a connection. One whose peer does not close its side is destroyed. */
async function closeClient(client: pg.Client, milliseconds: number): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: import("node:net").Socket } }).connection;
  const destroy = setTimeout(() => stream.destroy(), milliseconds);
  try {
    const closed = stream.destroyed ? Promise.resolve() : once(stream, "close");
    await Promise.race([client.end(), closed]);
  } finally {
    clearTimeout(destroy);
  }
}
