import type { Readable } from "node:stream";
import { lastLines, logLimits } from "@ngpu/protocol/reasons/boundedText";
import { calling, type Engine, tolerating } from "./engine.ts";

/** Bytes of output that are kept while it is read: more than a reason keeps, because the engine's text is not bounded. */
const keptBytes = 4 * logLimits.bytes;
/** @deadline The Docker engine to send a container's output. What arrived until then is reported. */
export const logDeadline = 1_500;

/** The last lines of a container's output since a time in milliseconds; empty when the container is gone. */
export async function readLog(engine: Engine, id: string, since: number): Promise<string> {
  const deadline = new AbortController();
  using _timer = setTimeout(() => deadline.abort(), logDeadline);
  const stream = await tolerating([404, 409], undefined, () =>
    calling(engine.docker, () => openLog(engine, { id, since, abortSignal: deadline.signal })),
  ).catch((error) => {
    // The reason is reported without output.
    if (deadline.signal.aborted) return undefined;
    throw error;
  });
  if (stream === undefined) return "";
  deadline.signal.addEventListener("abort", () => stream.destroy(), { once: true });
  const output = createDemultiplexer(keptBytes);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) output.take(chunk);
  } catch {
    // Cut by the deadline or the engine: what was read so far counts.
  }
  return lastLines(output.text());
}

/** As dockerode's `logs`, but as a stream: without `follow` that one keeps all of the output in memory. */
function openLog(
  { docker }: Engine,
  { id, since, abortSignal }: { id: string; since: number; abortSignal: AbortSignal },
): Promise<Readable> {
  const options = { stdout: true, stderr: true, tail: logLimits.lines, since: (since / 1000).toFixed(3) };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/containers/${id}/logs?`,
        method: "GET",
        isStream: true,
        abortSignal,
        options,
        statusCodes: { 200: true, 404: "no such container", 409: "is being removed", 500: "server error" },
      },
      (error, stream) => (error === null ? resolve(stream as Readable) : reject(error)),
    );
  });
}

/**
 * Separates a container's output from the engine's frames: 8 bytes, of which the last 4 are the length, then the output. Keeps the
 * last `kept` bytes or a little more.
 */
export function createDemultiplexer(kept: number): { take(chunk: Buffer): void; text(): string } {
  let header = Buffer.alloc(0);
  let left = 0;
  let output = Buffer.alloc(0);
  return {
    take(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (left > 0) {
          const part = chunk.subarray(at, at + left);
          output = Buffer.concat([output, part]);
          if (output.length > kept) output = output.subarray(output.length - kept);
          left -= part.length;
          at += part.length;
          continue;
        }
        const part = chunk.subarray(at, at + 8 - header.length);
        header = Buffer.concat([header, part]);
        at += part.length;
        if (header.length < 8) continue;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
      }
    },
    text: () => output.toString("utf8"),
  };
}
