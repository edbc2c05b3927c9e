import pg from "pg";
import type { Logger } from "../logger.ts";
import { rest } from "../loop.ts";

/** Sent by autoExport after its rows are visible, as `{ "block": "123", "tables": ["node", …] }`. */
export const chainChannel = "chain_changed";

/** Sent by a service whose rows another service acts on; the payload is the table's name. */
export const appChannel = "app_changed";

/**
 * Listens for notifications on a connection of its own and reconnects when that breaks.
 * Notifications are hints: `onNotice` is also called once after each (re)connection, since some may have been missed.
 */
export function listenForChanges(options: {
  url: string;
  channels: string[];
  logger: Logger;
  signal: AbortSignal;
  onNotice: (channel: string, payload: string | undefined) => void;
}): void {
  const run = async () => {
    while (!options.signal.aborted) {
      try {
        await listenOnce(options);
      } catch (error) {
        if (!options.signal.aborted) options.logger.warn({ event: "listen_broken", error });
      }
      await rest(1_000, options.signal);
    }
  };
  void run();
}

async function listenOnce(options: Parameters<typeof listenForChanges>[0]): Promise<void> {
  const client = new pg.Client({ connectionString: options.url, keepAlive: true });
  const ended = Promise.withResolvers<void>();
  client.on("error", ended.reject);
  client.on("end", () => ended.resolve());
  client.on("notification", (notice) => options.onNotice(notice.channel, notice.payload));
  const stop = () => void client.end();
  try {
    await client.connect();
    // Stopped while it connected: a listener added now would never be called.
    if (options.signal.aborted) return;
    options.signal.addEventListener("abort", stop, { once: true });
    for (const channel of options.channels) await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    for (const channel of options.channels) options.onNotice(channel, undefined);
    await ended.promise;
  } finally {
    options.signal.removeEventListener("abort", stop);
    await client.end();
  }
}
