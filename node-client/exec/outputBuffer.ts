import { execLimits } from "@ngpu/protocol/exec";

type Chunk = { offset: number; stream: "stdout" | "stderr"; bytes: Buffer };

/** Longest chunk, so that an acknowledgement frees memory soon. */
const chunkBytes = 32 << 10;
/** Output that comes byte by byte is joined up to this length. */
const joinedBytes = 4 << 10;

/** The output of a session from the first byte that its client may not have. */
export type OutputBuffer = {
  add(stream: Chunk["stream"], bytes: Buffer): void;
  /** The next chunk from an offset on; undefined: there is none yet. */
  next(offset: number): Chunk | undefined;
  /** Forgets the bytes before an offset. */
  release(offset: number): void;
  /** Offset of the first byte that is kept, and of the next one that is added. */
  bounds(): { start: number; end: number };
  isFull(): boolean;
};

/** Index of the first chunk that ends after an offset. */
function firstAfter(chunks: readonly Chunk[], offset: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const chunk = chunks[middle];
    if (chunk !== undefined && chunk.offset + chunk.bytes.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function createOutputBuffer(limit: number = execLimits.output): OutputBuffer {
  const chunks: Chunk[] = [];
  let start = 0;
  let end = 0;
  return {
    add: (stream, bytes) => {
      const last = chunks.at(-1);
      if (last?.stream === stream && last.bytes.length + bytes.length <= joinedBytes) {
        last.bytes = Buffer.concat([last.bytes, bytes]);
        end += bytes.length;
        return;
      }
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        // A copy: a part must not keep the engine's whole buffer in memory.
        const part = Buffer.from(bytes.subarray(at, at + chunkBytes));
        chunks.push({ offset: end, stream, bytes: part });
        end += part.length;
      }
    },
    next: (offset) => {
      const chunk = chunks[firstAfter(chunks, offset)];
      if (chunk === undefined) return undefined;
      const from = Math.max(0, offset - chunk.offset);
      return { ...chunk, offset: chunk.offset + from, bytes: chunk.bytes.subarray(from) };
    },
    release: (offset) => {
      while (chunks[0] !== undefined && chunks[0].offset + chunks[0].bytes.length <= offset) chunks.shift();
      start = Math.max(start, Math.min(offset, end));
    },
    bounds: () => ({ start, end }),
    isFull: () => end - start >= limit,
  };
}
