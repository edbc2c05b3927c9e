import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import {
  dropAbandoned,
  dropContent,
  droppedContents,
  dropUnused,
  expireFiles,
  forgetContent,
} from "../store/fileSweep.ts";
import { type FileRow, reserveContent } from "../store/files.ts";
import { type Content, type FileStore, tooLarge } from "./fileStore.ts";

/** Largest file, in bytes. */
export const largestFile = 5_000_000_000;

/** What a content was written as. */
export type Written = Content & { sha256: string; bytes: number };

export type Contents = {
  /**
   * Stores bytes that no file names yet. Whoever calls it names or drops them.
   *
   * @param given.most Bytes that there may be. `counts`: false when the account's quota does not matter.
   * @throws InputError `file_quota_exceeded` (413), `file_too_large` (413).
   */
  write(wallet: string, bytes: Readable, given: { most: number; counts: boolean }): Promise<Written>;
  /** Gives up bytes that no file names yet. */
  drop(content: Content): Promise<void>;
  /** The bytes of a file. */
  read(wallet: string, file: Pick<FileRow, "content_id" | "key_id">): Promise<Readable>;
  /** Removes from the disk what nothing refers to, now. */
  sweep(): Promise<void>;
};

type Deps = {
  db: Database;
  files: FileStore;
  /** The advisory lock that this process holds. */
  runner: bigint;
};

/** Files of accounts: bytes on disk, and rows in Postgres that name them. */
export function createContents(deps: Deps): Contents {
  const { db, files, runner } = deps;
  const write: Contents["write"] = async (wallet, bytes, { most, counts }) => {
    const content = { id: randomUUID(), wallet, keyId: files.newestKeyId };
    const quota = counts ? files.quota : Number.MAX_SAFE_INTEGER;
    const reserved = await reserveContent(db, content, { runner, most, quota });
    if (reserved === 0) throw quotaExceeded(files.quota);
    try {
      return { ...content, ...(await files.write(content, bytes, reserved)) };
    } catch (error) {
      await dropContent(db, content.id);
      const isQuota = error instanceof InputError && error.code === "file_too_large" && reserved < most;
      throw isQuota ? quotaExceeded(files.quota) : error;
    }
  };
  const drop = (content: Content) => dropContent(db, content.id);
  return {
    write,
    drop,
    read: (wallet, { content_id: id, key_id: keyId }) => files.read({ id, wallet, keyId }),
    sweep: () => sweep(deps),
  };
}

async function sweep({ db, files, runner }: Deps): Promise<void> {
  await expireFiles(db);
  await dropAbandoned(db, runner);
  await dropUnused(db);
  for (const id of await droppedContents(db)) {
    await files.remove(id);
    await forgetContent(db, id);
  }
}

/** Milliseconds between two rounds. */
const interval = 30_000;

/** Removes files whose time is over, and what nothing refers to any more. */
export function startFileSweep(
  contents: Pick<Contents, "sweep">,
  options: { logger: Logger; signal: AbortSignal },
): Loop {
  return startLoop({ name: "file_sweep", interval, ...options }, () => contents.sweep());
}

function quotaExceeded(limitBytes: number): InputError {
  return new InputError("The account's files would have more bytes than its quota.", {
    code: "file_quota_exceeded",
    status: 413,
    hint: "Delete files that you do not need, or let new ones expire sooner.",
    details: { limitBytes },
  });
}

/** What a form may have besides the bytes of its file. */
const formBytes = 64 << 10;

/** Whether a length that a request announces can be a file at all. @throws InputError `file_too_large` (413). */
export function requireLength(bytes: number | undefined): void {
  if (bytes !== undefined && bytes > largestFile + formBytes) throw tooLarge(largestFile);
}
