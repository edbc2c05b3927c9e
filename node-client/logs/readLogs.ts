import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { formatLogCursor, type LogCursor, type LogGap, type LogLine } from "@ngpu/protocol/logLines";
import type { Engine } from "../docker/engine.ts";
import { nanosecondsOf, nextOutput, type OutputLine, readOutput } from "../docker/outputLog.ts";
import type { LeaseRef } from "../leases.ts";
import type { Container } from "../reconcileFacts.ts";
import { createLogPosition, disorder, type LogPosition } from "./position.ts";

export type LogSource = {
  engine: Engine;
  lease: Pick<LeaseRef, "replica" | "lease">;
  /** The lease as this node knows it now; undefined: the node does not run it, or not any more. */
  current: () => { container: Container | undefined } | undefined;
};

export type LogOptions = {
  cursor: LogCursor | undefined;
  /** RFC 3339; without a cursor the lines begin at the first one of at least this time. */
  since: string | undefined;
  follow: boolean;
  stream: "stdout" | "stderr" | undefined;
};

/** Pauses of a reader that follows, in milliseconds. */
const pauses = {
  /** Between two readings, so that a burst of lines is read at once. A reading also pauses for three times what it took. */
  burst: 300,
  /** While the lease has no container, or its container does not run. */
  idle: 1_000,
};

type Reader = { position: LogPosition; container: string; hasStarted: boolean };

/**
 * The lines of a lease's container, oldest first. With `follow` it waits for further ones until the lease ends. Each reading asks
 * the engine for the kept lines after the position: a follower of the engine loses what is rotated away before it is read, and does
 * not say so.
 */
export async function* readLogs(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogLine | LogGap, void> {
  let reader: Reader | undefined;
  while (!signal.aborted) {
    const lease = source.current();
    const container = lease?.container;
    if (container === undefined) {
      if (lease === undefined || !options.follow) return;
      await sleep(pauses.idle, undefined, { signal }).catch(() => undefined);
      continue;
    }
    const id = container.id.slice(0, 12);
    if (reader?.container !== id) {
      const known = reader === undefined ? options.cursor : undefined;
      const isReplaced = reader !== undefined || (known !== undefined && known.container !== id);
      if (isReplaced) yield replacedGap(source, id, reader, options.cursor);
      reader = beginReader(id, isReplaced ? undefined : known, reader);
    }
    if (!options.follow) {
      yield* readKept(source, container, reader, { options, signal });
      return;
    }
    yield* followOnce(source, container, reader, { options, signal });
  }
}

function beginReader(container: string, cursor: LogCursor | undefined, before: Reader | undefined): Reader {
  const position = createLogPosition(cursor ?? { anchor: 0n, count: 0 });
  return { position, container, hasStarted: cursor !== undefined || before !== undefined };
}

type Reading = { options: LogOptions; signal: AbortSignal };

/** Reads the kept lines, then waits until there may be further ones. */
async function* followOnce(
  source: LogSource,
  container: Container,
  reader: Reader,
  reading: Reading,
): AsyncGenerator<LogLine | LogGap, void> {
  const { signal } = reading;
  const waiting = new AbortController();
  // Opened before the reading, so that a line in between is noticed.
  const next = await nextOutput(source.engine, container.id);
  try {
    const started = performance.now();
    yield* readKept(source, container, reader, reading);
    const took = performance.now() - started;
    const ended = leaseEnded(source, container, AbortSignal.any([signal, waiting.signal]));
    await Promise.race([next.arrived, ended]);
    const pause =
      container.status === "running" ? Math.max(pauses.burst, Math.min(10_000, 3 * took)) : pauses.idle;
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  } finally {
    waiting.abort();
    next.close();
  }
}

/** Resolves when the lease has ended or has another container, or the reader is gone. */
async function leaseEnded(source: LogSource, container: Container, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && source.current()?.container?.id === container.id) {
    await sleep(pauses.idle, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function* readKept(
  { engine, lease }: LogSource,
  { id }: Container,
  reader: Reader,
  { options, signal }: Reading,
): AsyncGenerator<LogLine | LogGap, void> {
  const { position, container } = reader;
  const since = options.since === undefined ? 0n : nanosecondsOf(options.since);
  const { anchor } = position.read();
  const numbers = { replica: lease.replica, lease: lease.lease };
  const cursor = () => formatLogCursor({ lease: lease.lease, container, ...position.read() });
  position.begin();
  const from = (anchor === 0n ? since : anchor) - disorder;
  for await (const line of readOutput(engine, id, { since: from, signal })) {
    if (!reader.hasStarted && line.nanoseconds < since) continue;
    reader.hasStarted = true;
    const { isNew, lostAfter } = position.take(line.nanoseconds);
    if (lostAfter !== undefined) {
      const after = timeText(lostAfter);
      const gap = { reason: "rotated" as const, after, until: line.time };
      yield { cursor: gapCursor(lease.lease, container, lostAfter), ...numbers, gap };
    }
    if (!isNew || (options.stream !== undefined && options.stream !== line.stream)) continue;
    yield { cursor: cursor(), ...numbers, ...shown(line) };
  }
}

/** A reader that stops at a gap reads it again: the position is still that before the lost lines. */
const gapCursor = (lease: number, container: string, anchor: bigint) =>
  formatLogCursor({ lease, container, anchor, count: 1 });

function shown({
  time,
  stream,
  bytes,
  isPartial,
}: OutputLine): Omit<LogLine, "cursor" | "replica" | "lease"> {
  const content = isUtf8(bytes) ? { text: bytes.toString("utf8") } : { base64: bytes.toString("base64") };
  return { time, stream, ...content, ...(isPartial ? { partial: true as const } : {}) };
}

function replacedGap(
  { lease }: LogSource,
  container: string,
  before: Reader | undefined,
  given: LogCursor | undefined,
): LogGap {
  const anchor = before?.position.read().anchor ?? given?.anchor ?? 0n;
  return {
    cursor: formatLogCursor({ lease: lease.lease, container, anchor: 0n, count: 0 }),
    replica: lease.replica,
    lease: lease.lease,
    gap: { reason: "replaced", after: anchor === 0n ? null : timeText(anchor), until: null },
  };
}

function timeText(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
}
