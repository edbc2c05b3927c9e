import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Connection, transaction } from "@ngpu/db/pool";
import { blobPath } from "@ngpu/image-store/blobs";
import { type Digest, digestOfFile } from "@ngpu/image-store/digest";
import type { Request } from "express";
import { mostUploads, type PushDeps } from "./deps.ts";
import { aboveQuota, type InFlight, openAllowance } from "./quota.ts";
import { PushRefusal } from "./refusal.ts";
import { putBlobRow, type Repository, storedBytes } from "./store/images.ts";
import { deleteUpload, hasUpload, insertUpload, setUploadBytes } from "./store/uploads.ts";

/** @deadline A client to send a byte of a blob. The request ends; what was received stays, and the upload can go on. */
const sendSilence = 60_000;

/** An upload: its id, and the repository that it belongs to. */
export type Upload = Repository & { id: string };

export function uploadPath(storeDir: string, id: string): string {
  return join(storeDir, "uploads", id);
}

/** Uploads of blobs: in parts, each after the end of the one before, and resumable after any cut. */
export function createUploads(deps: PushDeps) {
  const inFlight: InFlight = new Map();
  const busy = new Set<string>();
  /** One request at a time writes to an upload. @throws PushRefusal 409 */
  const alone = async <Result>(id: string, work: () => Promise<Result>): Promise<Result> => {
    if (busy.has(id)) throw inUse();
    busy.add(id);
    try {
      return await work();
    } finally {
      busy.delete(id);
    }
  };
  return {
    begin: (of: Repository) => begin(deps, of),
    /** @returns Bytes that are stored. */
    size: (upload: Upload) => sizeOf(deps, upload),
    append: (upload: Upload, request: Request) =>
      alone(upload.id, () => append(deps, inFlight, upload, request)),
    finish: (upload: Upload, request: Request, digest: Digest) =>
      alone(upload.id, async () => {
        await append(deps, inFlight, upload, request);
        await finish(deps, upload, digest);
      }),
    cancel: (upload: Upload) => alone(upload.id, () => cancel(deps, upload)),
  };
}

export type Uploads = ReturnType<typeof createUploads>;

async function begin({ db, storeDir }: PushDeps, of: Repository): Promise<string> {
  const id = randomUUID();
  if (!(await insertUpload(db, { ...of, id }))) {
    throw new PushRefusal(429, {
      code: "TOOMANYREQUESTS",
      message: `there are ${mostUploads} unfinished uploads`,
      hint: "end or cancel them; unfinished ones end by themselves after a day",
    });
  }
  const path = uploadPath(storeDir, id);
  await mkdir(dirname(path), { recursive: true });
  await (await open(path, "wx", 0o600)).close();
  return id;
}

/** @throws PushRefusal 404 BLOB_UPLOAD_UNKNOWN */
async function sizeOf({ db, storeDir }: PushDeps, upload: Upload): Promise<number> {
  const size = (await hasUpload(db, upload)) ? await fileSize(uploadPath(storeDir, upload.id)) : undefined;
  if (size !== undefined) return size;
  throw new PushRefusal(404, {
    code: "BLOB_UPLOAD_UNKNOWN",
    message: "there is no such upload",
    hint: "start another with POST /v2/<name>/blobs/uploads/",
  });
}

async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    },
  );
}

/** Appends the body of a request. What has arrived stays when the connection is cut. @returns Bytes that are stored. */
async function append(deps: PushDeps, inFlight: InFlight, upload: Upload, request: Request): Promise<number> {
  const { id, account } = upload;
  const size = await sizeOf(deps, upload);
  requireOrder(request, size);
  const allowance = await openAllowance(deps, inFlight, { account, more: bodyBytes(request) });
  const path = uploadPath(deps.storeDir, id);
  request.setTimeout(deps.silence ?? sendSilence, () => request.destroy());
  async function* counted() {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      allowance.take(chunk.byteLength);
      yield chunk;
    }
  }
  try {
    await pipeline(counted, createWriteStream(path, { flags: "a", flush: true }));
  } catch (error) {
    // Nothing of an account that is above its quota stays.
    if (error instanceof PushRefusal) await cancel(deps, upload);
    throw error;
  } finally {
    const stored = await fileSize(path);
    if (stored !== undefined) await setUploadBytes(deps.db, id, stored);
    allowance.end();
  }
  return (await fileSize(path)) ?? 0;
}

function bodyBytes(request: Request): number {
  const length = Number(request.headers["content-length"] ?? 0);
  return Number.isSafeInteger(length) && length > 0 ? length : 0;
}

/** @throws PushRefusal 416 when a part does not begin where the upload ends. */
function requireOrder(request: Request, size: number): void {
  const range = request.headers["content-range"];
  if (range === undefined) return;
  const [, first, last] = /^(?:bytes )?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(range) ?? [];
  if (first !== undefined && Number(first) === size && Number(last) >= size - 1) return;
  const headers = { Range: `0-${Math.max(0, size - 1)}` };
  const message = `the part does not begin at ${size}`;
  const hint = "ask with GET how much is stored, and continue from there";
  throw new PushRefusal(416, { code: "RANGE_INVALID", message, hint }, headers);
}

/** Verifies a complete upload and makes it a blob of its account. */
async function finish(deps: PushDeps, upload: Upload, digest: Digest): Promise<void> {
  const { storeDir, db, quotaBytes } = deps;
  const { id, account } = upload;
  const path = uploadPath(storeDir, id);
  const found = await digestOfFile(path);
  if (found !== digest) {
    await cancel(deps, upload);
    const message = `the upload has the digest ${found}`;
    throw new PushRefusal(400, { code: "DIGEST_INVALID", message, hint: "upload the blob again" });
  }
  const { size } = await stat(path);
  const target = blobPath(storeDir, digest);
  await mkdir(dirname(target), { recursive: true });
  await transaction(db, async (connection) => {
    await lockBlob(connection, account);
    await lockBlob(connection, digest);
    await deleteUpload(connection, id);
    await putBlobRow(connection, { account, digest, bytes: size });
    if ((await storedBytes(connection, account)) > BigInt(quotaBytes)) throw aboveQuota(deps, account);
    await rename(path, target);
    // The collector keeps files that are new.
    await utimes(target, new Date(), new Date());
  });
}

/** Until the end of the transaction no other adds or removes this blob, or counts this account's. */
export async function lockBlob(connection: Connection, name: string): Promise<void> {
  await connection.query("select pg_advisory_xact_lock(hashtextextended($1, 237))", [name]);
}

async function cancel({ db, storeDir }: PushDeps, { id }: Upload): Promise<void> {
  await rm(uploadPath(storeDir, id), { force: true });
  await deleteUpload(db, id);
}

function inUse(): PushRefusal {
  return new PushRefusal(409, {
    code: "BLOB_UPLOAD_INVALID",
    message: "another request writes to this upload",
    hint: "wait until it has ended",
  });
}
