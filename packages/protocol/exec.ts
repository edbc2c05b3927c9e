import { z } from "zod";

/**
 * A session runs a command in a lease's container. Its messages begin with a byte that names the channel. A WebSocket carries them as
 * binary messages; between apiServer and the node each follows its length.
 */
export const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, control: 4 } as const;
export type Channel = (typeof channels)[keyof typeof channels];

export const execLimits = {
  /** Bytes of one message. */
  message: 1 << 20,
  /** Bytes of output that a node keeps for a client that is away, or that has not acknowledged them. Then the command waits. */
  output: 1 << 20,
  /** Bytes of input that a client keeps until the node has received them. */
  input: 1 << 20,
  arguments: 256,
  /** Bytes of all arguments. */
  command: 32_768,
};

/** The WebSocket's subprotocol for clients that name one. */
export const execProtocol = "ngpu.exec";
/** Begins the subprotocol with the API key of a browser, which sets no header of a WebSocket. */
export const execKeyProtocol = "ngpu.key.";

/** Time that a node keeps a session without a client, and after its end, in milliseconds. */
export const execKept = 10 * 60_000;

const size = z.number().int().min(1).max(1_000);

export const execCommand = z
  .array(
    z
      .string()
      .max(execLimits.command)
      .refine((text) => !text.includes("\0"), "contains a NUL"),
  )
  .min(1)
  .max(execLimits.arguments)
  .refine(
    (words) => words.reduce((sum, word) => sum + Buffer.byteLength(word), 0) <= execLimits.command,
    `is longer than ${execLimits.command} bytes`,
  );

/** What a node is asked to run. */
export const execOrder = z.object({
  id: z.uuid(),
  command: execCommand,
  tty: z.boolean(),
  columns: size.optional(),
  rows: size.optional(),
});
export type ExecOrder = z.infer<typeof execOrder>;

/** What a client says beside its input. */
export const execControl = z.discriminatedUnion("type", [
  z.object({ type: z.literal("resize"), columns: size, rows: size }),
  /** Bytes of output that the client has; the node forgets them. */
  z.object({ type: z.literal("ack"), output: z.number().int().min(0) }),
  /** The input has ended. */
  z.object({ type: z.literal("eof") }),
  /** The session ends, and its command is killed. */
  z.object({ type: z.literal("end") }),
]);
export type ExecControl = z.infer<typeof execControl>;

export const execEndReasons = [
  "exited",
  "ended_by_client",
  "client_away",
  "container_stopped",
  "lease_ended",
  "node_restarted",
  "not_started",
] as const;
export type ExecEndReason = (typeof execEndReasons)[number];

/** What a node says beside the output. Counts are bytes since the session began. */
export const execStatus = z.discriminatedUnion("type", [
  /** First message: the input that the node has received, and where the output goes on. */
  z.object({ type: z.literal("attached"), input: z.number().int(), output: z.number().int() }),
  z.object({ type: z.literal("received"), input: z.number().int() }),
  z.object({ type: z.literal("alive") }),
  /** Another client has attached. */
  z.object({ type: z.literal("replaced") }),
  /** Last message. */
  z.object({
    type: z.literal("ended"),
    reason: z.enum(execEndReasons),
    exitCode: z.int32().nullable(),
  }),
]);
export type ExecStatus = z.infer<typeof execStatus>;

/** A message as a WebSocket carries it. */
export function execBytes(channel: Channel, payload: Buffer | ExecControl | ExecStatus): Buffer {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(JSON.stringify(payload));
  return Buffer.concat([Buffer.from([channel]), bytes]);
}

/** A message with its length before it. */
export function frameOf(message: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(message.length);
  return Buffer.concat([head, message]);
}

/** Parts of a message that are kept apart: a part of one byte takes a hundred bytes of memory. */
const maxParts = 4_096;

/** The complete messages of a stream of frames. @throws RangeError when one is empty or too long. */
export function createFrameReader(): { take(chunk: Buffer): Buffer[] } {
  let parts: Buffer[] = [];
  let held = 0;
  return {
    take: (chunk) => {
      parts.push(chunk);
      held += chunk.length;
      // Joined when a message is complete, so that parts of few bytes cost little.
      if (parts.length > maxParts) parts = [Buffer.concat(parts)];
      if (held < bytesNeeded(parts)) return [];
      const bytes = Buffer.concat(parts);
      const messages: Buffer[] = [];
      let at = 0;
      while (bytes.length - at >= 4) {
        const end = at + 4 + lengthAt(bytes, at);
        if (end > bytes.length) break;
        messages.push(bytes.subarray(at + 4, end));
        at = end;
      }
      held = bytes.length - at;
      parts = held === 0 ? [] : [Buffer.from(bytes.subarray(at))];
      return messages;
    },
  };
}

/** Bytes until the first message is complete, as far as they are known. */
function bytesNeeded(parts: readonly Buffer[]): number {
  const [first] = parts;
  if (first !== undefined && first.length >= 4) return 4 + lengthAt(first, 0);
  return 4;
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at);
  if (length === 0 || length > execLimits.message) throw new RangeError(`a message of ${length} bytes`);
  return length;
}
