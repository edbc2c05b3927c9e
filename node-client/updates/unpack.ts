import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { markFailed, releaseDir, type UpdatePlace } from "./place.ts";

const run = promisify(execFile);

/** @deadline tar to unpack a release, and the release to print its version. It counts as unusable. */
const runDeadline = 300_000;
/** An unpacked release has about three times the bytes of its archive. */
const unpackedFactor = 4;

/**
 * Unpacks a verified archive and runs the release once. It is there whole or not at all.
 *
 * @throws RetryableError `update_disk_full`; FatalError `release_unusable`
 */
export async function unpackRelease(
  place: UpdatePlace,
  { archive, release }: { archive: string; release: string },
): Promise<void> {
  const target = releaseDir(place, release);
  if (!existsSync(target)) {
    const draft = `${target}.new`;
    rmSync(draft, { recursive: true, force: true });
    await requireSpace(place, statSync(archive).size * unpackedFactor);
    mkdirSync(draft, { recursive: true });
    await tryRelease(place, { archive, draft, release });
    renameSync(draft, target);
  }
  rmSync(archive, { force: true });
}

async function requireSpace({ dir }: UpdatePlace, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize >= bytes) return;
  throw new RetryableError(
    `${dir} has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB free, too little for an update.`,
    {
      code: "update_disk_full",
      hint: `Free ${Math.ceil(bytes / 2 ** 20)} MiB. The client goes on as it is, and tries again.`,
    },
  );
}

async function tryRelease(
  place: UpdatePlace,
  { archive, draft, release }: { archive: string; draft: string; release: string },
): Promise<void> {
  const options = { timeout: runDeadline };
  try {
    await run("tar", ["-xzf", archive, "-C", draft, "--strip-components=1", "--no-same-owner"], options);
    const { stdout } = await run(join(draft, "bin/node"), [join(draft, "client.mjs"), "--version"], options);
    if (stdout.trim() !== release) throw new Error(`it says that it is ${stdout.trim().slice(0, 40)}`);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    rmSync(archive, { force: true });
    markFailed(place, release);
    throw new FatalError(`Release ${release} does not run on this machine: ${messageOf(error)}.`, {
      code: "release_unusable",
      hint: "The client goes on as it is. The market's operator signs another release.",
      cause: error,
    });
  }
}

/** Removes unpacked releases that are neither run nor due. */
export function removeOtherReleases(place: UpdatePlace, kept: readonly string[]): void {
  const folder = join(place.dir, "releases");
  for (const name of readdirSync(folder)) {
    if (!kept.includes(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
