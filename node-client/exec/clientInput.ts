import type { ServerHttp2Stream } from "node:http2";
import { channels, createFrameReader, type ExecControl, execControl, execLimits } from "@ngpu/protocol/exec";
import { drained } from "@ngpu/runtime/drained";
import { acknowledge, endSession, type Session } from "./session.ts";

/**
 * Bytes of input that wait for the command. A client sends at most `execLimits.input` before it hears that they were received; one
 * that sends more waits, with its acknowledgements.
 */
const waitingBytes = 2 * execLimits.input;

type Waiting = {
  parts: (Buffer | "end")[];
  bytes: number;
  /** Wakes what waits for a part, or for room. */
  wake: () => void;
};

/**
 * Reads what a client sends, until it is gone or replaced. Input waits beside the rest: a command that waits until its output is
 * acknowledged takes no input.
 */
export async function readClient(session: Session, stream: ServerHttp2Stream): Promise<void> {
  const waiting: Waiting = { parts: [], bytes: 0, wake: () => undefined };
  const reader = createFrameReader();
  void writeInput(session, stream, waiting);
  stream.once("close", () => waiting.wake());
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (const message of reader.take(chunk)) {
      // A client that was replaced is not heard any more: its successor sends the same input again.
      if (session.client !== stream) return;
      takeMessage(session, message, waiting);
    }
    while (waiting.bytes > waitingBytes && session.client === stream && !stream.destroyed)
      await changed(waiting);
  }
}

/** @throws RangeError or SyntaxError when it is no message of a client. */
function takeMessage(session: Session, message: Buffer, waiting: Waiting): void {
  const payload = message.subarray(1);
  if (message[0] === channels.stdin) {
    waiting.parts.push(payload);
    waiting.bytes += payload.length;
    waiting.wake();
  } else if (message[0] === channels.control) {
    const control = execControl.safeParse(JSON.parse(payload.toString()));
    if (!control.success) throw new RangeError("not a control message");
    takeControl(session, control.data, waiting);
  } else throw new RangeError(`channel ${message[0]}`);
}

function takeControl(session: Session, control: ExecControl, waiting: Waiting): void {
  if (control.type === "ack") acknowledge(session, control.output);
  else if (control.type === "end") endSession(session, "ended_by_client");
  else if (control.type === "eof") {
    waiting.parts.push("end");
    waiting.wake();
  } else if (session.order.tty) void session.process.resize(control.columns, control.rows);
}

/** Writes input to the command. What the command has not taken counts as not received, and is sent again. */
async function writeInput(session: Session, stream: ServerHttp2Stream, waiting: Waiting): Promise<void> {
  const { io } = session.process;
  while (!stream.destroyed) {
    const part = waiting.parts.shift();
    if (part === undefined) {
      await changed(waiting);
      continue;
    }
    if (session.client !== stream) return;
    if (part === "end") {
      session.input.hasEnded = true;
      io.end();
      continue;
    }
    waiting.bytes -= part.length;
    session.input.received += part.length;
    session.wake();
    waiting.wake();
    if (io.writable && !session.input.hasEnded && !io.write(part)) await drained(io, { peers: [stream] });
  }
}

/** Several may wait at once. */
function changed(waiting: Waiting): Promise<void> {
  return new Promise((resolve) => {
    const before = waiting.wake;
    waiting.wake = () => {
      waiting.wake = () => undefined;
      before();
      resolve();
    };
  });
}
