import { createCipheriv, createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { bodyOf, RequestError, writePiece } from "../shared/http.ts";

const pieceBytes = 256 * 1024;

/**
 * Generates an endless sequence of incompressible bytes: AES in counter mode over zeros, several GB/s with AES instructions.
 * The same seed gives the same bytes.
 */
export function pseudoRandom(seed: Uint8Array) {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(pieceBytes);
  return (bytes: number): Buffer => {
    const piece = bytes <= pieceBytes ? zeros.subarray(0, bytes) : Buffer.alloc(bytes);
    return cipher.update(piece);
  };
}

/** Streams exactly `bytes` bytes as fast as the client reads them: those of a seed, or any. */
export async function sendBytes(
  response: ServerResponse,
  { bytes, seed = randomBytes(32), signal }: { bytes: number; seed?: Uint8Array; signal: AbortSignal },
): Promise<void> {
  const next = pseudoRandom(seed);
  response.writeHead(200, {
    "Content-Type": "application/octet-stream",
    "Content-Length": bytes,
    "Cache-Control": "no-store, no-transform",
  });
  for (let left = bytes; left > 0; left -= Math.min(left, pieceBytes)) {
    await writePiece(response, next(Math.min(left, pieceBytes)), signal);
  }
  response.end();
  // The transfer ends, and frees its place, when the system has accepted the last byte.
  await finished(response, { signal });
}

export type Taken = {
  bytes: number;
  /** From the first byte to the last, in milliseconds. */
  durationMs: number;
  sha256: string;
};

/**
 * Reads and measures a request's body.
 *
 * @param limit Maximum bytes.
 * @throws RequestError 413 above the limit.
 */
export async function takeBytes(request: IncomingMessage, limit: number): Promise<Taken> {
  const tooLong = new RequestError(
    413,
    "body_too_large",
    `An upload may have at most ${limit} bytes.`,
    "Send fewer bytes.",
  );
  const hash = createHash("sha256");
  let bytes = 0;
  let started: number | undefined;
  for await (const chunk of bodyOf(request, limit, tooLong)) {
    started ??= performance.now();
    bytes += chunk.byteLength;
    hash.update(chunk);
  }
  const durationMs = started === undefined ? 0 : Math.round((performance.now() - started) * 1000) / 1000;
  return { bytes, durationMs, sha256: hash.digest("hex") };
}
