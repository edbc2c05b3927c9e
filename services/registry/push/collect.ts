import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { transaction } from "@ngpu/db/pool";
import { blobPath } from "@ngpu/image-store/blobs";
import { type Digest, isDigest } from "@ngpu/image-store/digest";
import type { PushDeps } from "./deps.ts";
import {
  deleteUnusedBlobs,
  deleteUnusedManifests,
  expiredUploads,
  markUnused,
  withoutRow,
} from "./store/garbage.ts";
import { deleteUpload } from "./store/uploads.ts";
import { lockBlob, uploadPath } from "./uploads.ts";

export type Collected = { uploads: number; manifests: number; blobs: number; files: number };

/** Files that are compared with Postgres at a time. */
const batchSize = 500;

/**
 * Removes what nobody needs: uploads that nobody continues, manifests that no tag, index or open workspace names, blobs that no
 * manifest names, and files that no account has. Each goes after it has been unused for a while, so that a push in progress and a
 * rebuild of schema `chain` lose nothing. Safe beside pushes and beside another collector.
 *
 * @param keepSeconds For how long the unused is kept.
 */
export async function collect(
  deps: Pick<PushDeps, "db" | "storeDir">,
  keepSeconds: number,
): Promise<Collected> {
  const { db, storeDir } = deps;
  const uploads = await expiredUploads(db, keepSeconds);
  for (const id of uploads) {
    await rm(uploadPath(storeDir, id), { force: true });
    await deleteUpload(db, id);
  }
  await markUnused(db);
  const manifests = await deleteUnusedManifests(db, keepSeconds);
  const blobs = await deleteUnusedBlobs(db, keepSeconds);
  const files = await removeFiles(deps, keepSeconds);
  return { uploads: uploads.length, manifests, blobs, files };
}

/** Files without a row: of blobs that are gone, and of processes that were killed. */
async function removeFiles(
  { db, storeDir }: Pick<PushDeps, "db" | "storeDir">,
  keepSeconds: number,
): Promise<number> {
  const names = await readdir(join(storeDir, "blobs", "sha256")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const digests = names.map((name): Digest => `sha256:${name}`).filter(isDigest);
  let removed = 0;
  for (let at = 0; at < digests.length; at += batchSize) {
    for (const digest of await withoutRow(db, digests.slice(at, at + batchSize))) {
      if (await removeFile({ db, storeDir }, digest, keepSeconds)) removed += 1;
    }
  }
  return removed;
}

async function removeFile(
  { db, storeDir }: Pick<PushDeps, "db" | "storeDir">,
  digest: Digest,
  keepSeconds: number,
): Promise<boolean> {
  return transaction(db, async (connection) => {
    await lockBlob(connection, digest);
    const path = blobPath(storeDir, digest);
    const found = await stat(path).catch(() => undefined);
    const isOld = found !== undefined && Date.now() - found.mtimeMs > keepSeconds * 1_000;
    if (!isOld || (await withoutRow(connection, [digest])).length === 0) return false;
    await rm(path, { force: true });
    return true;
  });
}
