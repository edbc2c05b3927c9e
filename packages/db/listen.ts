import { once } from "node:events";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import pg from "pg";
import { z } from "zod";
import { type HeldOptions, openHeldConnection } from "./heldConnection.ts";

/** Notified by autoExport once its rows are visible: `{ "block": "123", "hash": "0x…", "tables": ["node", …] }`. */
export const chainChannel = "chain_changed";

/** Notified by a service after it changed rows that another service acts on. The payload is the table's name. */
export const appChannel = "app_changed";

export type ListenOptions = Pick<HeldOptions, "url" | "deadlines" | "checkInterval"> & {
  channels: string[];
  logger: Logger;
  signal: AbortSignal;
  /** Called for each notification. Without a payload, anything may have changed. */
  onNotice: (channel: string, payload: string | undefined) => void;
};

const cursorOf = z.object({ block: z.string(), hash: z.string() });
type Cursor = z.infer<typeof cursorOf>;

/**
 * Listens for notifications on a dedicated connection and reconnects when it breaks.
 *
 * Notifications are hints. When first connected, `onNotice` is also called once for each channel without a payload.
 * After a reconnection, the changes of schema chain since the last known block are reported in one notification of the
 * usual form. For other channels, or if these changes cannot be determined, `onNotice` is called without a payload.
 */
export function listenForChanges(options: ListenOptions): void {
  let cursor: Cursor | undefined;
  const run = async () => {
    while (!options.signal.aborted) {
      try {
        await listenOnce(options, cursor, (latest) => {
          cursor = latest;
        });
      } catch (error) {
        if (!options.signal.aborted) options.logger.warn({ event: "listen_disconnected", error });
      }
      await rest(1_000, options.signal);
    }
  };
  void run();
}

async function listenOnce(
  options: ListenOptions,
  known: Cursor | undefined,
  remember: (cursor: Cursor | undefined) => void,
): Promise<void> {
  const { channels, signal, onNotice } = options;
  const { client, lost, close } = await openHeldConnection(options);
  try {
    client.on("notification", ({ channel, payload }) => {
      if (channel === chainChannel) remember(readCursor(payload));
      onNotice(channel, payload);
    });
    for (const channel of channels) await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    for (const channel of channels) {
      if (channel !== chainChannel) onNotice(channel, undefined);
      else await catchUp(client, known, remember, onNotice);
    }
    await aborted(AbortSignal.any([signal, lost]));
    if (!signal.aborted) throw lost.reason;
  } finally {
    await close();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

/** Reports the changes of schema chain during the disconnection. */
async function catchUp(
  client: pg.Client,
  known: Cursor | undefined,
  remember: (cursor: Cursor | undefined) => void,
  onNotice: ListenOptions["onNotice"],
): Promise<void> {
  const missed = await readMissed(client, known);
  remember(missed);
  if (known === undefined || missed === undefined) onNotice(chainChannel, undefined);
  else if (missed.hash !== known.hash) onNotice(chainChannel, JSON.stringify(missed));
}

/** The newest block and the tables that changed since the known block; undefined if schema chain is not built. */
async function readMissed(
  client: pg.Client,
  known: Cursor | undefined,
): Promise<(Cursor & { tables: string[] }) | undefined> {
  try {
    const { rows } = await client.query<Cursor & { tables: string[] }>(
      known === undefined
        ? "select number::text as block, hash, '{}'::text[] as tables from chain.head where tier = 'unsafe'"
        : "select block::text, hash, tables from chain.changed_since($1, $2)",
      known === undefined ? [] : [known.block, known.hash],
    );
    return rows[0];
  } catch (error) {
    // No such table, schema or function, or no privilege: the schema is not built yet, or is being rebuilt.
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code === "42P01" || code === "3F000" || code === "42883" || code === "42501") return undefined;
    throw error;
  }
}

function readCursor(payload: string | undefined): Cursor | undefined {
  try {
    return cursorOf.parse(JSON.parse(payload ?? ""));
  } catch {
    return undefined;
  }
}
