import { setTimeout as sleep } from "node:timers/promises";
import { toJson } from "@ngpu/runtime/json";
import type { Response } from "express";
import type { ApiDeps } from "./deps.ts";
import { type Cursor, cursorText, readHistory, shownEvent } from "./history.ts";
import { taken } from "./taken.ts";

/** Times of a stream, ms. */
const times = {
  /** Between comments, so that proxies keep an idle connection. */
  keepAlive: 15_000,
  /** Between two reads, so that a burst of changes is read once. */
  pause: 200,
  /** @deadline A reader of a workspace's events to take some. Its stream is cut; it resumes after the last event it has. */
  stalled: 60_000,
  /** Until the stream ends. Its client resumes it, with a key that is checked again. */
  life: 15 * 60_000,
};
/** Events in memory of one stream: a slow reader gets the next ones when it has taken these. */
const batchSize = 20;

/** Streams a workspace's history after a cursor as server-sent events, until the client leaves. */
export async function streamEvents(
  { db, changes }: Pick<ApiDeps, "db" | "changes">,
  response: Response,
  of: { workspaceId: string; after: Cursor; disconnected: AbortSignal },
): Promise<void> {
  const ended = AbortSignal.any([of.disconnected, changes.signal, AbortSignal.timeout(times.life)]);
  const subscription = changes.subscribe(of.workspaceId);
  ended.addEventListener("abort", subscription.close, { once: true });
  response.status(200).setHeader("content-type", "text/event-stream; charset=utf-8");
  response.setHeader("cache-control", "no-cache, no-transform");
  response.setHeader("x-accel-buffering", "no");
  let cursor = of.after;
  let lastWrite = Date.now();
  const write = async (text: string) => {
    lastWrite = Date.now();
    if (ended.aborted || response.destroyed || response.write(text)) return;
    // The loop sees that the stream has ended.
    await taken(response, ended, times.stalled).catch(() => undefined);
  };
  try {
    await write("retry: 2000\n\n");
    while (!ended.aborted) {
      subscription.mark();
      const page = await readHistory(db, of.workspaceId, cursor, batchSize);
      if (page.replacedAfter !== null) {
        const data = toJson({ replacedAfter: String(page.replacedAfter) });
        await write(`id: ${cursorText(page.from)}\nevent: reorg\ndata: ${data}\n\n`);
        cursor = page.from;
      }
      for (const event of page.events) {
        cursor = event.cursor;
        await write(`id: ${cursorText(cursor)}\ndata: ${toJson(shownEvent(event))}\n\n`);
        if (ended.aborted) return;
      }
      if (page.more) continue;
      await subscription.wait(Math.max(0, lastWrite + times.keepAlive - Date.now()));
      if (Date.now() - lastWrite >= times.keepAlive) await write(": keepalive\n\n");
      await sleep(times.pause, undefined, { signal: ended }).catch(() => undefined);
    }
  } finally {
    subscription.close();
    response.end();
  }
}
