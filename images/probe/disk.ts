import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { RequestError } from "../shared/http.ts";
import { pseudoRandom } from "./transfer.ts";

const mebibyte = 1024 * 1024;
/** Always left free, so that a disk test does not fill the node's disk. */
const reserveBytes = 64 * mebibyte;
const prefix = "probe-";

/** The only part of WebAssembly used here; Node's types do not declare it. */
declare const WebAssembly: { Memory: new (options: { initial: number }) => { buffer: ArrayBuffer } };

export type DiskResult = {
  freeBytes: number;
  totalBytes: number;
  writeMibps: number;
  readMibps: number;
  /** The bytes read back were the bytes written. */
  verified: boolean;
  /** True: the read bypassed the page cache. False: `readMibps` may be the speed of memory. */
  readDirect: boolean;
};

/**
 * Writes `mib` MiB to the volume, flushes them to the disk, reads them back, compares, and deletes the file.
 *
 * @throws RequestError 507 `disk_full` when the volume has too little free space.
 */
export async function measureDisk(options: {
  dir: string;
  mib: number;
  signal: AbortSignal;
}): Promise<DiskResult> {
  const { dir, mib, signal } = options;
  const volume = await statfs(dir);
  const freeBytes = volume.bavail * volume.bsize;
  const totalBytes = volume.blocks * volume.bsize;
  if (freeBytes < mib * mebibyte + reserveBytes) {
    throw new RequestError(
      507,
      "disk_full",
      `The volume has ${freeBytes} bytes free, not enough for ${mib} MiB.`,
      "Free space on the node's disk, or measure fewer MiB.",
    );
  }
  const path = join(dir, `${prefix}${randomBytes(8).toString("hex")}`);
  try {
    const written = await writeSeeded(path, mib, signal);
    const read = await readBack(path, signal);
    return {
      freeBytes,
      totalBytes,
      writeMibps: rate(mib, written.ms),
      readMibps: rate(mib, read.ms),
      verified: read.sha256 === written.sha256,
      readDirect: read.direct,
    };
  } finally {
    await rm(path, { force: true });
  }
}

/** Deletes the files that a killed probe left on its volume. */
export async function removeLeftovers(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => name.startsWith(prefix));
  await Promise.all(names.map((name) => rm(join(dir, name), { force: true })));
}

async function writeSeeded(path: string, mib: number, signal: AbortSignal) {
  const next = pseudoRandom(randomBytes(32));
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  let ms = 0;
  try {
    for (let i = 0; i < mib; i += 1) {
      signal.throwIfAborted();
      const piece = next(mebibyte);
      hash.update(piece);
      ms += await timed(() => writeAll(file, piece));
    }
    ms += await timed(() => file.sync());
  } finally {
    await file.close();
  }
  return { ms, sha256: hash.digest("hex") };
}

async function writeAll(file: FileHandle, piece: Buffer): Promise<void> {
  for (let done = 0; done < piece.length; ) done += (await file.write(piece, done)).bytesWritten;
}

async function readBack(path: string, signal: AbortSignal) {
  const { file, direct } = await openUncached(path);
  // O_DIRECT requires page-aligned memory. WebAssembly memory is aligned, a Buffer may not be.
  const page = new Uint8Array(new WebAssembly.Memory({ initial: mebibyte / 65536 }).buffer);
  const hash = createHash("sha256");
  let ms = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      let bytesRead = 0;
      ms += await timed(async () => {
        bytesRead = (await file.read(page, 0, mebibyte, null)).bytesRead;
      });
      if (bytesRead === 0) return { ms, direct, sha256: hash.digest("hex") };
      hash.update(page.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** Opens without the page cache if the file system supports it (tmpfs does not). */
async function openUncached(path: string): Promise<{ file: FileHandle; direct: boolean }> {
  try {
    return { file: await open(path, constants.O_RDONLY | constants.O_DIRECT), direct: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    return { file: await open(path, constants.O_RDONLY), direct: false };
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function rate(mib: number, ms: number): number {
  return Math.round((mib / Math.max(ms, 0.001)) * 1000 * 100) / 100;
}
