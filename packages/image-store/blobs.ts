import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FatalError } from "@ngpu/runtime/errors";
import { type Digest, digestOf, digestOfFile, hexOf } from "./digest.ts";

export type Blob = { digest: Digest; sizeBytes: number };

export function blobPath(storeDir: string, digest: Digest): string {
  return join(storeDir, "blobs", "sha256", hexOf(digest));
}

/**
 * Writes a stream into the store under its sha256. The bytes are read back from disk and verified before the file gets
 * its final name.
 *
 * @param options.expected digest that the bytes must have; default: any
 * @throws FatalError `digest_mismatch` when the bytes on disk differ from the stream, or the digest from `expected`.
 */
export async function putBlob(options: {
  storeDir: string;
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  expected?: Digest;
  signal?: AbortSignal;
}): Promise<Blob> {
  const { storeDir, source, expected, signal } = options;
  const dir = join(storeDir, "blobs", "sha256");
  await mkdir(dir, { recursive: true });
  const temporary = join(storeDir, "blobs", `incoming-${randomUUID()}`);
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* metered() {
    for await (const chunk of source) {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  try {
    await pipeline(metered(), createWriteStream(temporary, { flags: "wx", flush: true }), { signal });
    const digest: Digest = `sha256:${hash.digest("hex")}`;
    const required = expected ?? digest;
    const written = await digestOfFile(temporary, signal);
    if (digest !== required || written !== required)
      throw mismatch(required, digest === required ? written : digest);
    await rename(temporary, blobPath(storeDir, digest));
    return { digest, sizeBytes };
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Removes partial files that killed writers left behind. Files younger than an hour are kept: they may be in use.
 *
 * @param now current time, ms since the epoch
 */
export async function removeAbandoned(storeDir: string, now: number): Promise<void> {
  const dir = join(storeDir, "blobs");
  await mkdir(dir, { recursive: true });
  for (const name of await readdir(dir)) {
    if (!name.startsWith("incoming-")) continue;
    const found = await stat(join(dir, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found && now - found.mtimeMs > 3_600_000) await rm(join(dir, name), { force: true });
  }
}

/** Stores a small blob: a config or a manifest. */
export function putBytes(storeDir: string, bytes: Buffer): Promise<Blob> {
  return putBlob({ storeDir, source: [bytes], expected: digestOf(bytes) });
}

/** Size of a blob in bytes; undefined if it is absent or corrupt. Reads the entire blob. */
export async function verifiedSize(storeDir: string, digest: Digest): Promise<number | undefined> {
  const path = blobPath(storeDir, digest);
  const found = await blobSize(storeDir, digest);
  if (found === undefined) return undefined;
  return (await digestOfFile(path)) === digest ? found : undefined;
}

/** Size of a blob in bytes; undefined if it is absent. Does not verify the content. */
export async function blobSize(storeDir: string, digest: Digest): Promise<number | undefined> {
  const found = await stat(blobPath(storeDir, digest)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.isFile() ? found.size : undefined;
}

/**
 * The bytes of a small blob, verified against the digest.
 *
 * @throws FatalError `blob_not_found` or `digest_mismatch`.
 */
export async function readBlob(storeDir: string, digest: Digest): Promise<Buffer> {
  const bytes = await readFile(blobPath(storeDir, digest)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new FatalError("A blob is missing from the image store.", {
      code: "blob_not_found",
      hint: "Delete the image store and build again.",
      details: { storeDir, digest },
      cause,
    });
  });
  const found = digestOf(bytes);
  if (found !== digest) throw mismatch(digest, found);
  return bytes;
}

function mismatch(expected: Digest, found: Digest): FatalError {
  return new FatalError(`The blob ${expected} has the digest ${found}.`, {
    code: "digest_mismatch",
    hint: "Delete the image store and build again.",
    details: { expected, found },
  });
}
