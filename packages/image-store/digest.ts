import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** `sha256:` and 64 lowercase hex digits: the only digest that the store supports. */
export type Digest = `sha256:${string}`;

const pattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && pattern.test(value);
}

export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export async function digestOfFile(path: string, signal?: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  // Large reads: the node binary has 120 MB, and this runs on every start.
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(chunk);
  return `sha256:${hash.digest("hex")}`;
}

/** The 64 hex digits of a digest, which are also the blob's file name. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
