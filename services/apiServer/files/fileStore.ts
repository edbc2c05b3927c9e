import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FatalError, InputError, RetryableError } from "@ngpu/runtime/errors";
import type { FileKeys } from "./fileKeys.ts";
import { opening, sealing } from "./sealedFile.ts";

/** A content by the id of its row. */
export type Content = { id: string; wallet: string; keyId: string };

/** The encrypted bytes of files, in a folder that all instances share. */
export type FileStore = {
  newestKeyId: string;
  /** Most bytes that an account may have in all its files. */
  quota: number;
  /**
   * Writes a content to the disk, while it is read.
   *
   * @throws InputError `file_too_large` (413) when there are more bytes; RetryableError `file_storage_full`.
   */
  write(content: Content, bytes: Readable, most: number): Promise<{ sha256: string; bytes: number }>;
  /** The bytes as they were sent. The stream fails when they were changed on disk. @throws FatalError `file_content_missing` */
  read(content: Content): Promise<Readable>;
  /** Removes a content; one that is not there is removed. */
  remove(id: string): Promise<void>;
};

/** Bytes of the disk that files leave free. */
const leftFree = 1 << 30;

export function createFileStore({
  folder,
  keys,
  quota,
}: {
  folder: string;
  keys: FileKeys;
  quota: number;
}): FileStore {
  const pathOf = (id: string) => join(folder, id);
  return {
    newestKeyId: keys.newestKeyId,
    quota,
    write: async (content, bytes, most) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await requireSpace(folder);
      const counted = counting(most);
      try {
        // Open before anything can fail, so that what is removed is there.
        const file = await open(pathOf(content.id), "wx", 0o600);
        const target = file.createWriteStream({ flush: true });
        await pipeline(bytes, counted.stream, sealing(keys.keyOf(content)), target).finally(() =>
          file.close(),
        );
        await syncFolder(folder);
      } catch (error) {
        await rm(pathOf(content.id), { force: true });
        throw isFull(error) ? storageFull(error) : error;
      }
      return counted.result();
    },
    read: async (content) => {
      const path = pathOf(content.id);
      const key = keys.keyOf(content);
      await stat(path).catch((cause: unknown) => {
        throw contentMissing(content.id, cause);
      });
      const opened = opening(key);
      // An error of either end is one of the stream that is returned.
      void pipeline(createReadStream(path), opened).catch((error: Error) => opened.destroy(error));
      return opened;
    },
    remove: (id) => rm(pathOf(id), { force: true }),
  };
}

/** Counts and hashes what passes. */
function counting(most: number) {
  const hash = createHash("sha256");
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > most) return done(tooLarge(most));
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ sha256: hash.digest("hex"), bytes }) };
}

async function requireSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < leftFree) throw storageFull();
}

/** The name of a new file is kept after a power failure, too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const isFull = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOSPC";

/** @param limitBytes Largest file that is accepted. */
export function tooLarge(limitBytes: number): InputError {
  return new InputError(`The file is larger than ${limitBytes} bytes.`, {
    code: "file_too_large",
    status: 413,
    hint: "Split the file, or delete files that you do not need if the account's quota is the limit.",
    details: { limitBytes },
  });
}

function storageFull(cause?: unknown): RetryableError {
  return new RetryableError("The market's disk for files is full.", {
    code: "file_storage_full",
    hint: "Try again later, and tell the market's operator if it stays so.",
    cause,
  });
}

function contentMissing(id: string, cause: unknown): FatalError {
  return new FatalError("The bytes of a file are not on the disk.", {
    code: "file_content_missing",
    hint: "All instances of apiServer need the same FILES_FOLDER. Restore it from its backup.",
    details: { id },
    cause,
  });
}
