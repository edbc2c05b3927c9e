import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { type Digest, isDigest } from "./digest.ts";

const digest = z.custom<Digest>(isDigest, "not a sha256 digest");

const schema = z.object({
  version: z.literal(1),
  repositories: z.record(
    z.string(),
    z.object({
      /** tag → manifest digest */
      tags: z.record(z.string(), digest),
      /** Every manifest ever tagged: a workspace pinned to an older digest can still be pulled. */
      manifests: z.array(digest),
    }),
  ),
});

/** The manifests in the store, by repository name. */
export type StoreIndex = z.infer<typeof schema>;

export type Tagged = { repository: string; tag: string; digest: Digest };

function indexPath(storeDir: string): string {
  return join(storeDir, "index.json");
}

/**
 * The store's index; empty when the file does not exist.
 *
 * @throws FatalError `image_store_invalid` when the file is not an index.
 */
export async function readIndex(storeDir: string): Promise<StoreIndex> {
  const text = await readFile(indexPath(storeDir), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return { version: 1, repositories: {} };
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FatalError(`${indexPath(storeDir)} is not an image index.`, {
      code: "image_store_invalid",
      hint: `Delete ${storeDir} and build again.`,
      cause,
    });
  }
}

/** Points tags at manifests and replaces the index file atomically. Not safe for concurrent writers. */
export async function tagManifests(storeDir: string, tagged: readonly Tagged[]): Promise<void> {
  const index = await readIndex(storeDir);
  for (const { repository, tag, digest } of tagged) {
    const entry = index.repositories[repository] ?? { tags: {}, manifests: [] };
    entry.tags[tag] = digest;
    if (!entry.manifests.includes(digest)) entry.manifests.push(digest);
    index.repositories[repository] = entry;
  }
  await writeAtomically(storeDir, indexPath(storeDir), `${JSON.stringify(index, undefined, 2)}\n`);
}

/** Writes a temporary file and renames it: a reader sees the old file or the new one. */
export async function writeAtomically(dir: string, path: string, text: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, text, { flag: "wx", flush: true });
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
