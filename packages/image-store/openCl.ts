import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { parseLdd } from "./base.ts";
import type { Entry } from "./tar.ts";

/** Directory of this architecture's libraries on Debian and Ubuntu. */
const libraryDir = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
/** Where OpenCL's loader finds drivers, and where PoCL has its headers and built-in functions. */
const vendorDir = "/etc/OpenCL/vendors";
const poclDir = "/usr/share/pocl";
const pluginDir = join(libraryDir, "pocl");

/** The driver of NVIDIA's GPUs comes with the engine's runtime; this file names it. */
export const nvidiaDriver: Entry = textEntry(`${vendorDir}/nvidia.icd`, "libnvidia-opencl.so.1\n");

/**
 * The files by which a container without a system runs OpenCL on its CPU: the loader, PoCL and the linker that PoCL
 * calls. They are this machine's own. Undefined where it has no PoCL: images then have OpenCL for GPUs alone, through the
 * loader that their driver brings.
 */
export async function openClEntries(): Promise<Entry[] | undefined> {
  const loader = join(libraryDir, "libOpenCL.so.1");
  const icd = join(vendorDir, "pocl.icd");
  if (![loader, icd, poclDir, "/usr/bin/ld"].every(existsSync)) return undefined;
  const driver = (await readFile(icd, "utf8")).trim();
  const plugins = await filesUnder(pluginDir);
  const roots = [loader, join(libraryDir, basename(driver)), ...plugins, "/usr/bin/ld"];
  const linked = new Set((await Promise.all(roots.map(linkedTo))).flat());
  const libraries = [...linked, loader, join(libraryDir, basename(driver))];
  return [
    textEntry(icd, `${basename(driver)}\n`),
    ...linkerStubs(),
    // The PATH of images is this directory alone.
    await fileEntry("/usr/local/bin/ld", "/usr/bin/ld"),
    ...(await Promise.all(
      unique(libraries).map((path) => fileEntry(join(libraryDir, basename(path)), path)),
    )),
    ...(await Promise.all(plugins.map((path) => fileEntry(path, path)))),
    ...(await Promise.all((await filesUnder(poclDir)).map((path) => fileEntry(path, path)))),
  ];
}

/** Names the files as they are on this machine: to hash 300 MB at each start would take a second. */
export async function openClKey(entries: readonly Entry[]): Promise<string> {
  const hash = createHash("sha256").update("OpenCL layout 1\n");
  for (const entry of entries) {
    const { size, mtimeMs } = entry.kind === "file" ? await stat(entry.from) : { size: 0, mtimeMs: 0 };
    const bytes = entry.kind === "bytes" ? entry.bytes.toString("hex") : "";
    hash.update(`${JSON.stringify([entry.path, size, mtimeMs, bytes])}\n`);
  }
  return hash.digest("hex");
}

/** The directory that LD_LIBRARY_PATH names for them. */
export const openClDir = libraryDir;

/**
 * PoCL links each kernel with the C library by the names that a compiler's packages provide. The libraries themselves are
 * in the image.
 */
function linkerStubs(): Entry[] {
  const group = (name: string, of: string) => textEntry(`${libraryDir}/${name}`, `GROUP ( ${of} )\n`);
  return [
    group("libc.so", "libc.so.6"),
    group("libm.so", "libm.so.6"),
    group("libgcc_s.so", "libgcc_s.so.1"),
    textEntry(`${libraryDir}/libgcc.a`, "!<arch>\n"),
  ];
}

/** The libraries that a file is linked to, without the C library's loader, which the base layer has at its place. */
async function linkedTo(path: string): Promise<string[]> {
  // PoCL's plugins link each other, and PoCL loads them in their order.
  const options = { env: { PATH: "/usr/bin:/bin", LC_ALL: "C", LD_LIBRARY_PATH: pluginDir } };
  const { stdout } = await promisify(execFile)("ldd", [path], options);
  return parseLdd(stdout).filter(
    (library) => !basename(library).startsWith("ld-linux") && !library.startsWith(pluginDir),
  );
}

async function filesUnder(dir: string): Promise<string[]> {
  const items = await readdir(dir, { withFileTypes: true, recursive: true });
  return items.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name));
}

async function fileEntry(path: string, from: string): Promise<Entry> {
  const real = await realpath(from);
  return { kind: "file", path, mode: 0o755, from: real, sizeBytes: (await stat(real)).size };
}

function textEntry(path: string, text: string): Entry {
  return { kind: "bytes", path, mode: 0o644, bytes: Buffer.from(text) };
}

/** Two paths of one library, such as below /lib and /usr/lib, are one entry. */
function unique(paths: readonly string[]): string[] {
  return [...new Map(paths.map((path) => [basename(path), path])).values()];
}
