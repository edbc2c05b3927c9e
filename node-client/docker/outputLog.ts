import type { Readable } from "node:stream";
import { calling, type Engine, tolerating } from "./engine.ts";
import { type Frame, framesOf } from "./frames.ts";

/** A line of a container's output; the engine splits lines of more than 16 KiB. */
export type OutputLine = {
  /** As the engine writes it: RFC 3339 with nanoseconds. */
  time: string;
  nanoseconds: bigint;
  stream: Frame["stream"];
  /** Without the end of the line. */
  bytes: Buffer;
  /** The line goes on in the next one of its stream. */
  isPartial: boolean;
};

/**
 * The kept lines of a container from a time on, in the order in which they were written. Nothing when the container is gone.
 *
 * @param since Nanoseconds; earlier lines may be among them.
 */
export async function* readOutput(
  engine: Engine,
  id: string,
  { since, signal }: { since: bigint; signal: AbortSignal },
): AsyncGenerator<OutputLine, void> {
  const stream = await openOutput(engine, id, { timestamps: true, since: secondsText(since) });
  if (stream === undefined) return;
  const stop = () => stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const frame of framesOf(stream)) yield lineOf(frame);
  } finally {
    signal.removeEventListener("abort", stop);
    stream.destroy();
  }
}

/** Resolves when the container writes something after this call, stops, or is gone. `close` ends the wait. */
export async function nextOutput(
  engine: Engine,
  id: string,
): Promise<{ arrived: Promise<void>; close: () => void }> {
  const stream = await openOutput(engine, id, { follow: true, tail: 0 });
  const arrived = Promise.withResolvers<void>();
  if (stream === undefined) {
    arrived.resolve();
    return { arrived: arrived.promise, close: () => undefined };
  }
  for (const event of ["end", "close", "error"]) stream.on(event, () => arrived.resolve());
  // What it carries is read from the kept lines: a follower that is slow loses lines that are rotated away.
  stream.once("data", () => {
    stream.pause();
    arrived.resolve();
  });
  return { arrived: arrived.promise, close: () => stream.destroy() };
}

/** As dockerode's `logs`, but always as a stream: without `follow` that one keeps all of the output in memory. */
function openOutput(
  { docker }: Engine,
  id: string,
  options: { timestamps?: boolean; since?: string; follow?: boolean; tail?: number },
): Promise<Readable | undefined> {
  const opened = () =>
    new Promise<Readable>((resolve, reject) => {
      docker.modem.dial(
        {
          path: `/containers/${id}/logs?`,
          method: "GET",
          isStream: true,
          options: { stdout: true, stderr: true, ...options },
          statusCodes: { 200: true, 404: "no such container", 409: "is being removed", 500: "server error" },
        },
        (error, stream) => (error === null ? resolve(stream as Readable) : reject(error)),
      );
    });
  return tolerating([404, 409], undefined, () => calling(docker, opened));
}

const newline = 0x0a;

function lineOf({ stream, bytes }: Frame): OutputLine {
  const space = bytes.indexOf(0x20);
  const time = bytes.toString("latin1", 0, Math.max(0, space));
  const hasEnd = bytes.at(-1) === newline;
  const content = bytes.subarray(space + 1, hasEnd ? -1 : undefined);
  return { time, nanoseconds: nanosecondsOf(time), stream, bytes: content, isPartial: !hasEnd };
}

/** Unix time in nanoseconds. @throws RangeError when the text is not a time. */
export function nanosecondsOf(time: string): bigint {
  const [matched, seconds, fraction = "", zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  const milliseconds = Date.parse(`${seconds}${zone}`);
  if (matched === undefined || Number.isNaN(milliseconds)) throw new RangeError(`not a time: ${time}`);
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** Unix time in seconds, as the engine's `since` takes it. */
function secondsText(nanoseconds: bigint): string {
  const positive = nanoseconds > 0n ? nanoseconds : 0n;
  return `${positive / 1_000_000_000n}.${String(positive % 1_000_000_000n).padStart(9, "0")}`;
}
