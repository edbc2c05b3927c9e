import type { Readable } from "node:stream";

/** A part of a container's output. */
export type Frame = { stream: "stdout" | "stderr"; bytes: Buffer };

/** Longest frame that is read: the engine splits lines of more than 16 KiB. */
const maxFrame = 1 << 20;

/**
 * Separates the engine's multiplexed stream into frames: a head of 8 bytes, of which the first is the stream and the last 4 are the
 * length, then the bytes. An iteration that ends early closes the stream.
 *
 * @throws Error when the stream breaks, or a frame is too long or cut.
 */
export async function* framesOf(stream: Readable): AsyncGenerator<Frame, void> {
  const split = createFrameSplitter();
  for await (const chunk of stream as AsyncIterable<Buffer>) yield* split.take(chunk);
  if (!split.isComplete()) throw new Error("the engine's stream ends within a frame");
}

/** Separates chunks into frames. A frame is complete when it is returned. */
export function createFrameSplitter(): { take(chunk: Buffer): Frame[]; isComplete(): boolean } {
  let parts: Buffer[] = [];
  let held = 0;
  return {
    isComplete: () => held === 0,
    take: (chunk) => {
      parts.push(chunk);
      held += chunk.length;
      // The parts of a long frame are joined once, when it is complete.
      if (held < lengthNeeded(parts)) return [];
      const [frames, rest] = split(parts.length === 1 ? chunk : Buffer.concat(parts));
      parts = rest.length === 0 ? [] : [rest];
      held = rest.length;
      return frames;
    },
  };
}

function lengthNeeded(parts: Buffer[]): number {
  const [first] = parts;
  return first === undefined || first.length < 8 ? 8 : 8 + lengthIn(first, 0);
}

function split(bytes: Buffer): [Frame[], Buffer] {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 8) {
    const end = at + 8 + lengthIn(bytes, at);
    if (end > bytes.length) break;
    frames.push({ stream: bytes[at] === 2 ? "stderr" : "stdout", bytes: bytes.subarray(at + 8, end) });
    at = end;
  }
  // A copy: the frames of a chunk must not keep the rest of it in memory.
  return [frames, Buffer.from(bytes.subarray(at))];
}

function lengthIn(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 4);
  if (length > maxFrame) throw new RangeError(`a frame of ${length} bytes`);
  return length;
}
