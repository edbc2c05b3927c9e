import { createReadStream } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { type Pack, pack } from "tar-stream";
import type { CopyProgress } from "./copyProgress.ts";

/**
 * Packs a file or folder of this machine. Links inside a folder stay links; sockets and devices are left out.
 *
 * @param name Its name in the archive; undefined: its own.
 * @returns `done` rejects with InputError `file_unreadable` when something could not be read.
 */
export function packPath(
  source: string,
  name: string | undefined,
  progress: CopyProgress,
): { stream: AsyncIterable<Uint8Array>; done: Promise<void> } {
  const archive = pack();
  const done = addAll(archive, source, name ?? basename(resolve(source)), progress).then(
    () => archive.finalize(),
    (error: unknown) => {
      archive.destroy();
      throw error;
    },
  );
  // Its failure is reported to who waits for it, after the command has ended.
  done.catch(() => undefined);
  return { stream: archive as unknown as AsyncIterable<Uint8Array>, done };
}

async function addAll(archive: Pack, source: string, name: string, progress: CopyProgress): Promise<void> {
  try {
    // The named path itself may be a link to what is meant.
    await add(archive, source, name, progress, await stat(source));
  } catch (cause) {
    throw new InputError(`${source} cannot be read: ${messageOf(cause)}.`, {
      code: "file_unreadable",
      hint: "Copy what this user can read, and what does not change meanwhile.",
      cause,
    });
  }
}

async function add(
  archive: Pack,
  path: string,
  name: string,
  progress: CopyProgress,
  facts: Awaited<ReturnType<typeof lstat>>,
): Promise<void> {
  const head = { name, mode: Number(facts.mode) & 0o777, mtime: facts.mtime, uid: 0, gid: 0 };
  if (facts.isSymbolicLink()) {
    archive.entry({ ...head, type: "symlink", linkname: await readlink(path) });
  } else if (facts.isDirectory()) {
    archive.entry({ ...head, name: `${name}/`, type: "directory" });
    for (const inner of (await readdir(path)).sort()) {
      const child = join(path, inner);
      await add(archive, child, `${name}/${inner}`, progress, await lstat(child));
    }
  } else if (facts.isFile()) await addFile(archive, path, { ...head, size: Number(facts.size) }, progress);
}

async function addFile(
  archive: Pack,
  path: string,
  head: { name: string; size: number },
  progress: CopyProgress,
): Promise<void> {
  progress.file();
  const entry = archive.entry({ ...head, type: "file" });
  // A file that grows is copied as long as it was; one that shrinks fails.
  const content = head.size === 0 ? Readable.from([]) : createReadStream(path, { end: head.size - 1 });
  await pipeline(
    content,
    async function* count(parts: AsyncIterable<Buffer>) {
      for await (const part of parts) {
        progress.add(part.length);
        yield part;
      }
    },
    entry as unknown as NodeJS.WritableStream,
  );
}
