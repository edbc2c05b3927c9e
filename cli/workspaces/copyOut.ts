import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import { extract, type Header } from "tar-stream";
import { note, safe } from "../shared/output.ts";
import type { CopyProgress } from "./copyProgress.ts";

/** Where an archive of a container is unpacked. */
export type Unpacking = {
  /** Resolves when the bytes are taken. */
  write: (bytes: Uint8Array) => Promise<void>;
  /** The archive broke off. */
  abort: () => void;
  /** Resolves when everything is on the disk. @throws InputError `file_unwritable`, `archive_invalid`. */
  end: (isWhole: boolean) => Promise<void>;
};

/**
 * Unpacks files and folders. The archive is a stranger's: links and devices are left out, and nothing is written outside of the target
 * or through a link.
 *
 * @param renamed The name in the archive that becomes the target itself; undefined: the target is a folder for it.
 */
export function unpackTo(target: string, renamed: string | undefined, progress: CopyProgress): Unpacking {
  const archive = extract();
  const state = { leftOut: 0 };
  const work = (async () => {
    for await (const entry of archive) {
      const path = pathIn(target, renamed, entry.header.name);
      await unpack(entry as unknown as Entry, path, progress, state);
    }
  })();
  const ended = work.catch((error: unknown) => {
    archive.destroy();
    return error ?? new Error("it failed");
  });
  const writeNow = async (bytes: Uint8Array) => {
    if (archive.destroyed || archive.write(Buffer.from(bytes))) return;
    await Promise.race([new Promise<void>((resolve) => void archive.once("drain", resolve)), ended]);
  };
  // Messages arrive while earlier ones are written.
  let written = Promise.resolve();
  return {
    write: (bytes) => {
      written = written.then(() => writeNow(bytes));
      return written;
    },
    abort: () => archive.destroy(),
    end: async (isWhole) => {
      await written;
      if (isWhole) archive.end(undefined);
      const error = await ended;
      if (state.leftOut > 0) note(`${state.leftOut} links or devices were left out.`);
      if (error === undefined || !isWhole) return;
      if (error instanceof InputError) throw error;
      throw new InputError(`The archive cannot be unpacked: ${messageOf(error)}.`, {
        code: "file_unwritable",
        hint: "Check that the target can be written and that the disk has room.",
        cause: error,
      });
    },
  };
}

/** The place of an entry on this machine. @throws InputError `archive_invalid`. */
function pathIn(target: string, renamed: string | undefined, name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const isOutside = name.startsWith("/") || parts.includes("..") || name.includes("\0");
  if (isOutside || (renamed !== undefined && renamed !== "." && parts[0] !== renamed)) {
    throw new InputError(`The container sent a file named ${safe(name)}, which was not asked for.`, {
      code: "archive_invalid",
      hint: "Nothing was written outside of the target. Do not trust this container.",
    });
  }
  return join(target, ...(renamed === undefined || renamed === "." ? parts : parts.slice(1)));
}

type Entry = AsyncIterable<Uint8Array> & { header: Header; resume: () => unknown };

async function unpack(
  entry: Entry,
  path: string,
  progress: CopyProgress,
  state: { leftOut: number },
): Promise<void> {
  const { type, mode = 0o644 } = entry.header;
  if (type === "directory") {
    await mkdir(path, { recursive: true });
    entry.resume();
  } else if (type === "file" || type === "contiguous-file") {
    await mkdir(dirname(path), { recursive: true });
    progress.file();
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode & 0o777);
    try {
      for await (const part of entry) {
        await file.writeFile(part);
        progress.add(part.length);
      }
    } finally {
      await file.close();
    }
  } else {
    state.leftOut += 1;
    entry.resume();
  }
}
