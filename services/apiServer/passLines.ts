import type { Response } from "express";
import type { z } from "zod";
import type { ApiDeps } from "./deps.ts";
import type { logsQuery } from "./schemas/logs.ts";
import { taken } from "./taken.ts";

/** Times of an answer with lines, ms. */
const times = {
  /** @deadline A byte of a node that sends the lines of a container; it sends an empty line every 15 s. The answer is cut. */
  silence: 60_000,
  /** @deadline A reader of a container's lines to take some. Its answer is cut; it asks again with the last cursor. */
  stalled: 60_000,
  /** Until an answer with `follow` ends. Its client asks again, with a key that is checked again. */
  life: 15 * 60_000,
};

/** Passes the lines of a replica's container to a client, as fast as the client takes them. */
export async function passLines(
  { gateway, changes }: Pick<ApiDeps, "gateway" | "changes">,
  response: Response,
  of: { workspaceId: string; query: z.output<typeof logsQuery>; disconnected: AbortSignal },
): Promise<void> {
  const { replica, ...wanted } = of.query;
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined) as [string, string][];
  const query = new URLSearchParams(given);
  const life = AbortSignal.timeout(times.life);
  const ended = AbortSignal.any([of.disconnected, changes.signal, life]);
  const { message, nodeId } = await gateway.node({
    workspaceId: of.workspaceId,
    replica,
    path: `/logs?${query}`,
    method: "GET",
    signal: ended,
    silence: times.silence,
  });
  response.status(200).setHeader("content-type", "application/jsonl; charset=utf-8");
  response.setHeader("cache-control", "no-cache, no-transform");
  response.setHeader("x-accel-buffering", "no");
  response.setHeader("x-ngpu-node-id", String(nodeId));
  response.flushHeaders();
  // An answer ends between two lines, so that a client never takes a part of one for the whole.
  let isWithinLine = false;
  try {
    for await (const part of message as AsyncIterable<Buffer>) {
      isWithinLine = part.at(-1) !== 0x0a;
      if (!response.write(part)) await taken(response, ended, times.stalled);
    }
    response.end();
  } catch {
    if (ended.aborted && !of.disconnected.aborted && !isWithinLine) response.end();
    else response.destroy();
  }
}
