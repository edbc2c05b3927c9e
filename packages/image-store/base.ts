import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { verifiedSize } from "./blobs.ts";
import { type Digest, digestOfFile, isDigest } from "./digest.ts";
import { writeAtomically } from "./index-file.ts";
import { type Entry, type Layer, putLayer } from "./tar.ts";

export type Base = {
  layer: Layer;
  /** Directories the loader must search, for LD_LIBRARY_PATH: the image has no ld.so.cache. */
  libraryDirs: string[];
  /** False when the layer came from the store. */
  built: boolean;
};

/** Increased whenever the base layer changes in a way that the hashes of its files do not cover. */
const layoutVersion = 1;

/** User and group id of the process in every image built here. */
export const nobody = 65534;

/**
 * The layer under every workspace: the Node binary of the npm package `node`, the shared libraries that this machine's
 * loader resolves for it, and the files under /etc that configure users and host names. The store caches it by content.
 *
 * @param options.repoRoot the checkout, with its node_modules
 * @param options.storeDir directory of the image store
 * @throws FatalError `node_binary_not_found`, `node_binary_unsupported` or `library_missing`.
 */
export async function baseLayer(options: {
  repoRoot: string;
  storeDir: string;
  signal?: AbortSignal;
}): Promise<Base> {
  const { repoRoot, storeDir, signal } = options;
  const binary = join(repoRoot, "node_modules", "node", "bin", "node");
  const libraries = await librariesOf(binary);
  const entries = [...etcEntries(), ...(await hostEntries(binary, libraries))];
  const libraryDirs = [...new Set(libraries.map((path) => dirname(path)))].sort();
  const key = await contentKey(entries, signal);
  return { ...(await keptLayer({ storeDir, entries, key, ...(signal && { signal }) })), libraryDirs };
}

/** A layer that the store keeps under a key of its contents, and makes only where it does not have it. */
export async function keptLayer(options: {
  storeDir: string;
  entries: readonly Entry[];
  key: string;
  signal?: AbortSignal;
}): Promise<{ layer: Layer; built: boolean }> {
  const { storeDir, entries, key, signal } = options;
  const record = join(storeDir, "bases", `${key}.json`);
  const kept = await readRecord(record, storeDir);
  if (kept) return { layer: kept, built: false };
  const layer = await putLayer({ storeDir, entries, ...(signal && { signal }) });
  await writeAtomically(dirname(record), record, `${JSON.stringify(layer)}\n`);
  return { layer, built: true };
}

/**
 * Parses the output of `ldd` into absolute paths: the libraries and the loader. The kernel's vdso is not a file and is
 * skipped.
 *
 * @throws FatalError `library_missing`.
 */
export function parseLdd(output: string): string[] {
  const paths: string[] = [];
  for (const line of output.split("\n").map((text) => text.trim())) {
    const missing = /^(\S+) => not found/.exec(line);
    if (missing) {
      throw new FatalError(`The Node binary needs ${missing[1]}, which is missing on this machine.`, {
        code: "library_missing",
        hint: "Install the system package that provides it.",
      });
    }
    const found = /^(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line);
    if (found?.[1]) paths.push(found[1]);
  }
  return paths;
}

async function librariesOf(binary: string): Promise<string[]> {
  if (!(await exists(binary))) {
    throw new FatalError(`There is no Node binary at ${binary}.`, {
      code: "node_binary_not_found",
      hint: "Run npm install first.",
    });
  }
  // A minimal environment: LD_LIBRARY_PATH and LD_PRELOAD of this process do not apply inside the image.
  const options = { env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } };
  const { stdout } = await promisify(execFile)("ldd", [binary], options).catch((cause: Error) => {
    throw new FatalError(`ldd cannot read ${binary}.`, {
      code: "node_binary_unsupported",
      hint: "Images are built on Linux with glibc.",
      cause,
    });
  });
  const linked = parseLdd(stdout);
  const libc = linked.find((path) => /\/libc\.so\.6$/.test(path));
  if (!libc)
    throw new FatalError(`${binary} is not linked against glibc.`, {
      code: "node_binary_unsupported",
      hint: "Images are built on Linux with glibc.",
    });
  // glibc loads these at run time to resolve hosts and users; ldd does not list them.
  const opened = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"].map((name) =>
    join(dirname(libc), name),
  );
  const present = await Promise.all(opened.map(exists));
  return [...new Set([...linked, ...opened.filter((_, i) => present[i])])];
}

async function hostEntries(binary: string, libraries: readonly string[]): Promise<Entry[]> {
  const sources = [
    { path: "/usr/local/bin/node", from: binary },
    ...libraries.map((path) => ({ path, from: path })),
  ];
  return Promise.all(
    sources.map(async ({ path, from }): Promise<Entry> => {
      const real = await realpath(from);
      return { kind: "file", path, mode: 0o755, from: real, sizeBytes: (await stat(real)).size };
    }),
  );
}

function etcEntries(): Entry[] {
  const text = (path: string, content: string): Entry => {
    return { kind: "bytes", path, mode: 0o644, bytes: Buffer.from(content) };
  };
  return [
    text(
      "/etc/passwd",
      `root:x:0:0:root:/:/sbin/nologin\nnobody:x:${nobody}:${nobody}:nobody:/:/sbin/nologin\n`,
    ),
    text("/etc/group", `root:x:0:\nnogroup:x:${nobody}:\n`),
    text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    { kind: "directory", path: "/tmp", mode: 0o1777 },
  ];
}

/** Hash of the base layer's contents: an upgraded library or Node changes it. */
async function contentKey(entries: readonly Entry[], signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256").update(`base layout ${layoutVersion}\n`);
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const content = entry.kind === "file" ? await digestOfFile(entry.from, signal) : "";
    const bytes = entry.kind === "bytes" ? entry.bytes.toString("hex") : "";
    hash.update(`${JSON.stringify([entry.kind, entry.path, entry.mode, content, bytes])}\n`);
  }
  return hash.digest("hex");
}

const digestField = z.custom<Digest>(isDigest);
const recordSchema = z.object({ digest: digestField, diffId: digestField, sizeBytes: z.int().positive() });

/** The recorded layer if the store holds it intact; undefined if it must be built again. */
async function readRecord(path: string, storeDir: string): Promise<Layer | undefined> {
  if (!(await exists(path))) return undefined;
  const record = recordSchema.safeParse(parseJson(await readFile(path, "utf8")));
  if (!record.success) return undefined;
  const size = await verifiedSize(storeDir, record.data.digest);
  return size === record.data.sizeBytes ? record.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
