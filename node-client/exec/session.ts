import type { ServerHttp2Stream } from "node:http2";
import {
  channels,
  type ExecEndReason,
  type ExecOrder,
  type ExecStatus,
  execBytes,
  execKept,
  frameOf,
} from "@ngpu/protocol/exec";
import { drained } from "@ngpu/runtime/drained";
import { createFrameSplitter } from "../docker/frames.ts";
import { createOutputBuffer, type OutputBuffer } from "./outputBuffer.ts";
import type { ExecProcess } from "./process.ts";

export type SessionEnd = { reason: ExecEndReason; exitCode: number | null };

/** A command in a container, with what its client has not received. */
export type Session = {
  order: ExecOrder;
  process: ExecProcess;
  output: OutputBuffer;
  /** Bytes of input received, and whether its end was. */
  input: { received: number; hasEnded: boolean };
  end: SessionEnd | undefined;
  /** The client that is attached. */
  client: ServerHttp2Stream | undefined;
  /** Wakes the sender of output. */
  wake: () => void;
  expiry: NodeJS.Timeout | undefined;
  /** Called when the session is forgotten. */
  onForgotten: () => void;
  /** How long it is kept without a client, in milliseconds. */
  kept: number;
};

export function createSession(
  order: ExecOrder,
  process: ExecProcess,
  { kept = execKept, onForgotten }: { kept?: number; onForgotten: () => void },
): Session {
  const session: Session = {
    order,
    process,
    output: createOutputBuffer(),
    input: { received: 0, hasEnded: false },
    end: undefined,
    client: undefined,
    wake: () => undefined,
    expiry: undefined,
    onForgotten,
    kept,
  };
  const frames = createFrameSplitter();
  const { io } = process;
  io.on("data", (chunk: Buffer) => {
    if (order.tty) session.output.add("stdout", chunk);
    else for (const { stream, bytes } of frames.take(chunk)) session.output.add(stream, bytes);
    // The command waits until its client has taken some.
    if (session.output.isFull()) io.pause();
    session.wake();
  });
  io.on("error", () => undefined);
  io.once("close", () => void endByItself(session));
  io.once("end", () => void endByItself(session));
  expireLater(session);
  return session;
}

async function endByItself(session: Session): Promise<void> {
  if (session.end !== undefined) return;
  const exitCode = await session.process.exitCode().catch(() => null);
  if (session.end !== undefined) return;
  session.end = { reason: exitCode === null ? "container_stopped" : "exited", exitCode };
  session.wake();
}

/** Ends a session and kills its command. Its client gets the reason. */
export function endSession(session: Session, reason: ExecEndReason): void {
  if (session.end !== undefined) return;
  session.end = { reason, exitCode: null };
  void session.process.kill();
  session.wake();
}

function expireLater(session: Session): void {
  clearTimeout(session.expiry);
  session.expiry = setTimeout(() => {
    endSession(session, "client_away");
    session.onForgotten();
  }, session.kept);
  session.expiry.unref();
}

/** Milliseconds between two messages to a client when nothing happens, so that each hop knows that the other end is there. */
const keepAlive = 15_000;

/**
 * Sends a client the output from an offset on, until the session has ended or the client is gone. An earlier client is replaced.
 * `hasAcks`: the client acknowledges what it has; otherwise what was sent counts as received.
 */
export async function attachClient(
  session: Session,
  stream: ServerHttp2Stream,
  from: { offset: number; hasAcks: boolean },
): Promise<void> {
  replaceClient(session);
  clearTimeout(session.expiry);
  session.client = stream;
  const status = (message: ExecStatus) => stream.write(frameOf(execBytes(channels.status, message)));
  let offset = Math.max(from.offset, session.output.bounds().start);
  status({ type: "attached", input: session.input.received, output: offset });
  if (from.hasAcks) acknowledge(session, from.offset);
  const timer = setInterval(() => status({ type: "alive" }), keepAlive);
  let told = session.input.received;
  try {
    while (session.client === stream && !stream.destroyed) {
      if (told !== session.input.received) {
        told = session.input.received;
        status({ type: "received", input: told });
      }
      const chunk = session.output.next(offset);
      if (chunk === undefined) {
        if (session.end !== undefined) break;
        await changed(session, stream);
        continue;
      }
      offset = chunk.offset + chunk.bytes.length;
      const hasRoom = stream.write(frameOf(execBytes(channels[chunk.stream], chunk.bytes)));
      if (!from.hasAcks) acknowledge(session, offset);
      if (!hasRoom) await drained(stream);
    }
    if (session.client === stream && session.end !== undefined) status({ type: "ended", ...session.end });
  } finally {
    clearInterval(timer);
    if (session.client === stream) {
      session.client = undefined;
      expireLater(session);
    }
    if (!stream.destroyed) stream.end();
  }
}

function replaceClient(session: Session): void {
  const before = session.client;
  if (before === undefined || before.destroyed) return;
  before.write(frameOf(execBytes(channels.status, { type: "replaced" })));
  session.client = undefined;
  session.wake();
}

/** Resolves after the next change of the session, or when the client is gone. */
async function changed(session: Session, stream: ServerHttp2Stream): Promise<void> {
  const ready = Promise.withResolvers<void>();
  session.wake = ready.resolve;
  stream.once("close", ready.resolve);
  await ready.promise;
  stream.off("close", ready.resolve);
}

export function acknowledge({ output, process }: Session, offset: number): void {
  output.release(offset);
  if (!output.isFull() && process.io.isPaused()) process.io.resume();
}
