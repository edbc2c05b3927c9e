// Tells whether node_modules holds what package-lock.json asks for.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STAMP = "node_modules/.ngpu-install.json";

/**
 * True when the packages are all there, in the versions and for the machine asked for.
 *
 * @param {string} root
 */
export function isInstalled(root) {
  if (!existsSync(join(root, "node_modules/.bin/node"))) return false;
  if (readText(join(root, STAMP)) === stampOf(root)) return true;
  // Installed by hand: it will do when nothing is missing or of another version.
  if (missingPackages(root).length > 0) return false;
  writeStamp(root);
  return true;
}

/** Writes down that the packages are those of this package-lock.json. */
export function writeStamp(root) {
  writeFileSync(join(root, STAMP), stampOf(root));
}

/**
 * What package-lock.json asks for on this machine and node_modules lacks, or has in another version.
 *
 * @param {string} root
 * @returns {string[]} folders below the root
 */
export function missingPackages(root) {
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return (
    Object.entries(wanted)
      // A link leads to a package of this checkout, which has no version of its own to compare.
      .filter(([folder, wish]) => folder.includes("node_modules/") && wish.link !== true && isRequired(wish))
      .filter(([folder, wish]) => versionIn(join(root, folder)) !== wish.version)
      .map(([folder]) => folder)
  );
}

/** An optional package may be left out, unless it is the one made for this machine: then something needs it. */
function isRequired({ optional, os, cpu, libc }) {
  const fits = allows(os, process.platform) && allows(cpu, process.arch) && allows(libc, libcName());
  if (optional) return fits && os !== undefined;
  return fits;
}

function allows(list, own) {
  if (list === undefined || own === undefined) return true;
  const refused = list.some((entry) => entry === `!${own}`);
  return !refused && (list.includes(own) || list.every((entry) => entry.startsWith("!")));
}

function libcName() {
  if (process.platform !== "linux") return undefined;
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}

function versionIn(folder) {
  const text = readText(join(folder, "package.json"));
  return text === undefined ? undefined : JSON.parse(text).version;
}

function stampOf(root) {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return JSON.stringify({ lock, platform: process.platform, arch: process.arch });
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
