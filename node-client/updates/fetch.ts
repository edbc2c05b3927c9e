import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { parse } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import type { TargetFile } from "@tufjs/models";
import { BaseFetcher } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";

/** @deadline The market's releases to send a signed file, body included. The update is tried again later. */
const metadataDeadline = 30_000;
/** @deadline The market's releases to send the next bytes of an archive. The download goes on from there later. */
const archiveDeadline = 60_000;

class MetadataFetcher extends BaseFetcher {
  async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    let response: Response;
    try {
      response = await fetch(url, { signal: AbortSignal.timeout(metadataDeadline) });
    } catch (error) {
      throw unreachable(url, error);
    }
    if (response.ok && response.body !== null) return response.body;
    await response.body?.cancel();
    // By its status: 404 ends a chain of roots.
    throw new DownloadHTTPError(`${url} answers with status ${response.status}`, response.status);
  }
}

/** Fetches signed files for `tuf-js`. */
export const metadataFetcher = new MetadataFetcher();

/**
 * Fetches an archive, and goes on where an earlier attempt ended. The caller verifies it.
 *
 * @param options.releases URL of the releases.
 * @param options.path Where the archive is written once it has its length.
 * @throws RetryableError `release_unreachable`
 */
export async function fetchArchive(options: {
  releases: string;
  target: TargetFile;
  path: string;
}): Promise<void> {
  const { releases, target, path } = options;
  const { dir, base } = parse(target.path);
  const url = new URL(`${dir}/${target.hashes.sha256}.${base}`, releases).href;
  const part = `${path}.${target.hashes.sha256?.slice(0, 16)}.part`;
  const present = await sizeOf(part);
  if (present < target.length) await fetchRest({ url, part, present, length: target.length });
  await rename(part, path);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function fetchRest(given: {
  url: string;
  part: string;
  present: number;
  length: number;
}): Promise<void> {
  const { url, part, present, length } = given;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error("no bytes arrive")), archiveDeadline);
  try {
    const headers: Record<string, string> = present === 0 ? {} : { range: `bytes=${present}-` };
    const response = await fetch(url, { headers, signal: silence.signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    const isRest = response.status === 206;
    const counted = bounded(length - (isRest ? present : 0), () => timer.refresh());
    await pipeline(
      Readable.fromWeb(response.body as never),
      counted,
      createWriteStream(part, { flags: isRest ? "a" : "w" }),
    );
  } catch (error) {
    // Too long, or no longer served in parts: the next attempt starts over.
    if ((await sizeOf(part)) >= length) await rm(part, { force: true });
    throw unreachable(url, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Passes at most so many bytes. */
function bounded(most: number, onBytes: () => void): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      onBytes();
      seen += chunk.length;
      if (seen > most) done(new Error("the archive is longer than signed"));
      else done(null, chunk);
    },
  });
}

function unreachable(url: string, cause: unknown): RetryableError {
  return new RetryableError(`The market's releases at ${url} cannot be fetched: ${messageOf(cause)}.`, {
    code: "release_unreachable",
    hint: "The client tries again. Check NGPU_API and this machine's network.",
    cause,
  });
}
