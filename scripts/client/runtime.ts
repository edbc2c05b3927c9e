import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { FatalError } from "@ngpu/runtime/errors";
import { pack } from "tar-stream";
import { z } from "zod";
import { runToEnd } from "../embedded/command.ts";

export const platforms = ["linux-x64", "linux-arm64"] as const;
/** A platform of the client, as Node names it. */
export type Platform = (typeof platforms)[number];

/** For Node, level 1 takes 1 s and gives 50 MB; level 6 takes 2.2 s and gives 46 MB. */
const gzipLevel = 1;
const tarBlock = 512;

/** This machine's platform; undefined when the client does not support it. */
export function ownPlatform(): Platform | undefined {
  return platforms.find((one) => one === `${process.platform}-${process.arch}`);
}

/**
 * Packs Node for a platform as the first member of a client archive: a gzip member with the tar entry `<folder>/bin/node`,
 * without the end of the tar. It is packed once a version and kept in the cache directory.
 *
 * @returns Path of the member.
 * @throws FatalError `install_failed` when npm cannot install Node for the platform.
 */
export async function packRuntime(options: {
  rootDir: string;
  cacheDir: string;
  platform: Platform;
  folder: string;
  signal?: AbortSignal;
}): Promise<string> {
  const { rootDir, cacheDir, platform, folder, signal } = options;
  const version = nodeVersion(rootDir);
  const cached = join(cacheDir, `${folder}-node-${version}-${platform}.gz`);
  if (existsSync(cached)) return cached;
  mkdirSync(cacheDir, { recursive: true });
  const binary = await findRuntime({ rootDir, cacheDir, platform, version, ...(signal && { signal }) });
  const draft = `${cached}.${process.pid}`;
  const { size } = await stat(binary);
  const archive = pack();
  const header = { name: `${folder}/bin/node`, mode: 0o755, mtime: new Date(0), size };
  const entry = archive.entry(header, () => archive.finalize());
  const length = tarBlock + Math.ceil(size / tarBlock) * tarBlock;
  await Promise.all([
    pipeline(createReadStream(binary, { highWaterMark: 1 << 18 }), entry, { signal }),
    pipeline(
      () => first(archive, length),
      createGzip({ level: gzipLevel, chunkSize: 1 << 18 }),
      createWriteStream(draft),
      { signal },
    ),
  ]);
  renameSync(draft, cached);
  return cached;
}

/** The first `length` bytes of a stream. */
async function* first(source: AsyncIterable<unknown>, length: number): AsyncGenerator<Buffer> {
  let left = length;
  for await (const piece of source) {
    const chunk = piece as Buffer;
    if (left > 0) yield chunk.subarray(0, left);
    left -= chunk.length;
  }
}

const packageFile = z.object({ version: z.string() });

/** The version of Node that this checkout runs on. */
function nodeVersion(rootDir: string): string {
  return packageFile.parse(JSON.parse(readFileSync(join(rootDir, "node_modules/node/package.json"), "utf8")))
    .version;
}

/** Finds Node for a platform: this machine's is installed, another's is fetched from npm once. */
async function findRuntime(options: {
  rootDir: string;
  cacheDir: string;
  platform: Platform;
  version: string;
  signal?: AbortSignal;
}): Promise<string> {
  const { rootDir, cacheDir, platform, version, signal } = options;
  if (platform === ownPlatform()) return join(rootDir, "node_modules/node/bin/node");
  const prefix = join(cacheDir, `node-${version}`);
  const name = `node-${platform}`;
  const binary = join(prefix, "node_modules", name, "bin/node");
  if (existsSync(binary)) return binary;
  await mkdir(prefix, { recursive: true });
  await writeFile(join(prefix, "package.json"), '{ "private": true }\n');
  // --force: the package is for another platform.
  const flags = ["--prefix", prefix, "--force", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"];
  const { code, output } = await runToEnd("npm", ["install", ...flags, `${name}@${version}`], {
    cwd: dirname(prefix),
    ...(signal && { signal }),
  });
  if (code === 0 && existsSync(binary)) return binary;
  throw new FatalError(`npm could not install Node ${version} for ${platform}: ${output.trim()}`, {
    code: "install_failed",
    hint: "Check that npm reaches its registry, or build for this machine's platform only.",
  });
}
