import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { Archive } from "@ngpu/update-repository/offline";
import { z } from "zod";

const manifestSchema = z.object({
  version: z.string(),
  platforms: z.record(z.string(), z.object({ file: z.string(), sha256: z.string(), bytes: z.number() })),
});

/**
 * Reads the release of a manifest, and hashes its archives: what is signed is what is there.
 *
 * @param dir Directory of manifest.json.
 * @throws FatalError `release_invalid`
 */
export async function archivesOf(dir: string): Promise<{ version: string; archives: Archive[] }> {
  const { version, platforms } = readManifest(join(dir, "manifest.json"));
  const archives: Archive[] = [];
  for (const [platform, { file, sha256, bytes }] of Object.entries(platforms)) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(dir, file)), hash);
    if (hash.digest("hex") !== sha256) throw invalid(`${file} is not the archive that manifest.json lists`);
    archives.push({ platform, sha256, bytes });
  }
  return { version, archives };
}

function readManifest(path: string) {
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw invalid(`${path} cannot be read: ${messageOf(error)}`);
  }
}

function invalid(why: string): FatalError {
  return new FatalError(`The release is not valid: ${why}.`, {
    code: "release_invalid",
    hint: "Write it again: npm run client:release -- --out FOLDER.",
  });
}
