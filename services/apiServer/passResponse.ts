import { drained } from "@ngpu/runtime/drained";
import { flushHead } from "@ngpu/runtime/flushHead";
import type { Response } from "express";
import { passHeaders } from "./containerHeaders.ts";
import type { ApiDeps } from "./deps.ts";
import type { Opened } from "./openTask.ts";
import { readBeginning } from "./readBeginning.ts";
import type { TaskEnd } from "./store/tasks.ts";
import { endOf, failureEnd } from "./taskEnd.ts";
import type { TaskWork } from "./taskWork.ts";
import { createTranscript } from "./transcript.ts";

/** How long a task waited for a replica, in milliseconds; absent: one took it at once. */
export const coldStartHeader = "x-ngpu-cold-start-ms";

/**
 * Streams the container's response to the client, byte for byte, and records its content. A response that breaks off is cut for the
 * client too, and costs the time until its last byte.
 */
export async function passResponse(
  { tasks }: Pick<ApiDeps, "tasks">,
  work: TaskWork,
  response: Response,
  disconnected: AbortSignal,
): Promise<void> {
  const started = performance.now();
  const state: { served?: Opened; lastByteAt?: number } = {};
  try {
    state.served = await tasks.open(work, disconnected);
    const { end, send } = await stream(state as Required<typeof state>, response, {
      disconnected,
      // Who has seen a part of a response finds its task.
      stored: () => tasks.stored(work),
    });
    await tasks.end(work, started + (state.served.waitedMs ?? 0), end);
    send();
    response.end();
  } catch (error) {
    const failure = tasks.errorOf(work, error, disconnected, state.served !== undefined);
    const { served, lastByteAt } = state;
    const isAborted = failure.code === "client_disconnected";
    const began = started + (served?.waitedMs ?? 0);
    await tasks.end(work, began, { ...failureEnd(failure), served }, isAborted ? undefined : lastByteAt);
    // A client that left reads no answer, and its leaving is no failure of this server.
    if (isAborted) return;
    if (!response.headersSent) throw failure;
    // The client must see that the stream was cut.
    response.destroy();
  }
}

async function stream(
  state: { served: Opened; lastByteAt: number },
  response: Response,
  { disconnected, stored }: { disconnected: AbortSignal; stored: () => Promise<void> },
): Promise<{ end: Omit<TaskEnd, "durationMs">; send: () => void }> {
  const { served } = state;
  const { message } = served;
  const transcript = createTranscript(message.headers);
  const take = (part: Buffer) => {
    state.lastByteAt = performance.now();
    transcript.add(part);
  };
  const beginning = await readBeginning(message, take);
  const endOfWhole = async () => ({
    ...endOf(message.statusCode ?? 0),
    served,
    result: await transcript.result(),
  });
  if (beginning.isWhole) {
    const end = await endOfWhole();
    return { end, send: () => sendBeginning(served, response, beginning.parts) };
  }
  await stored();
  state.lastByteAt = performance.now();
  sendBeginning(served, response, beginning.parts);
  for await (const part of message as AsyncIterable<Buffer>) {
    take(part);
    if (!response.write(part)) await drained(response, { signal: disconnected });
  }
  return { end: await endOfWhole(), send: () => undefined };
}

function sendBeginning(served: Opened, response: Response, parts: readonly Buffer[]): void {
  const { message, nodeId, waitedMs } = served;
  response.statusCode = message.statusCode ?? 502;
  response.setHeader("x-ngpu-node-id", String(nodeId));
  if (waitedMs !== undefined) response.setHeader(coldStartHeader, String(waitedMs));
  // Proxies must not buffer the stream.
  response.setHeader("cache-control", "no-cache, no-transform");
  response.setHeader("x-accel-buffering", "no");
  passHeaders(message, response);
  flushHead(response);
  for (const part of parts) response.write(part);
}
