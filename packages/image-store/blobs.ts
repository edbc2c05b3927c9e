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
 * Writes a stream into the store under its sha256. The bytes are read back from disk and hashed again before the
 * name exists, so a blob that carries a digest's name had that content when it got the name.
 *
 * @throws FatalError `digest_mismatch` when the disk holds something else, or `expected` is given and differs.
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
    const wanted = expected ?? digest;
    const written = await digestOfFile(temporary, signal);
    if (digest !== wanted || written !== wanted) throw mismatch(wanted, digest === wanted ? written : digest);
    await rename(temporary, blobPath(storeDir, digest));
    return { digest, sizeBytes };
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Removes what writers that were killed left half-written; what is younger than an hour may still be written to. */
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

/** Stores small bytes (a config, a manifest). */
export function putBytes(storeDir: string, bytes: Buffer): Promise<Blob> {
  return putBlob({ storeDir, source: [bytes], expected: digestOf(bytes) });
}

/** The blob's size if the store holds it intact, else undefined. Reads the whole blob. */
export async function verifiedSize(storeDir: string, digest: Digest): Promise<number | undefined> {
  const path = blobPath(storeDir, digest);
  const found = await blobSize(storeDir, digest);
  if (found === undefined) return undefined;
  return (await digestOfFile(path)) === digest ? found : undefined;
}

/** The blob's size if a file carries its name, else undefined. */
export async function blobSize(storeDir: string, digest: Digest): Promise<number | undefined> {
  const found = await stat(blobPath(storeDir, digest)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.isFile() ? found.size : undefined;
}

/**
 * A small blob's bytes, checked against the digest.
 *
 * @throws FatalError `blob_missing` or `digest_mismatch`.
 */
export async function readBlob(storeDir: string, digest: Digest): Promise<Buffer> {
  const bytes = await readFile(blobPath(storeDir, digest)).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new FatalError("A blob is missing in the image store.", {
      code: "blob_missing",
      hint: "Delete the image store and build again.",
      details: { storeDir, digest },
      cause,
    });
  });
  const found = digestOf(bytes);
  if (found !== digest) throw mismatch(digest, found);
  return bytes;
}

function mismatch(wanted: Digest, found: Digest): FatalError {
  return new FatalError(`A blob should be ${wanted} but its bytes are ${found}.`, {
    code: "digest_mismatch",
    hint: "Delete the image store and build again.",
    details: { wanted, found },
  });
}
