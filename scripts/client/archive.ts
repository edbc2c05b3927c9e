import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** A text file of an archive, with its path in the archive. */
export type TextFile = { path: string; text: string };

/**
 * Writes a .tar.gz from a gzip member with the start of the tar and text files for its end. Programs that unpack gzip read
 * concatenated members as one file. Equal content gives equal bytes.
 *
 * @param content.begin Path of the first gzip member.
 * @returns Hash and size of the archive.
 */
export async function writeArchive(
  path: string,
  content: { begin: string; files: readonly TextFile[] },
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(path, "w");
  try {
    const add = async (chunk: Uint8Array) => {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    };
    for await (const chunk of createReadStream(content.begin, { highWaterMark: 1 << 20 })) await add(chunk);
    await add(gzipSync(await tarOf(content.files)));
  } finally {
    await file.close();
  }
  return { sha256: hash.digest("hex"), bytes };
}

function tarOf(files: readonly TextFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { path, text } of files) archive.entry({ name: path, mode: 0o644, mtime: new Date(0) }, text);
  archive.finalize();
  return buffer(archive);
}
