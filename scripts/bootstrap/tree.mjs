// Tells whether node_modules holds what package-lock.json asks for.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STAMP = "node_modules/.ngpu-install.json";

/**
 * True when the packages are all there, in the versions and for the machine asked for.
 *
 * @param {string} root
 * @param {boolean} dev false when only what a market needs to run is asked for
 */
export function isInstalled(root, dev) {
  if (!existsSync(join(root, "node_modules/.bin/node"))) return false;
  const stamp = readText(join(root, STAMP));
  if (stamp === stampOf(root, true) || (!dev && stamp === stampOf(root, false))) return true;
  // Installed by hand: it will do when nothing is missing or of another version.
  if (missingPackages(root, dev).length > 0) return false;
  writeStamp(root, dev);
  return true;
}

/** Writes down that the packages are those of this package-lock.json, all of them or those that running needs. */
export function writeStamp(root, dev) {
  writeFileSync(join(root, STAMP), stampOf(root, dev));
}

/**
 * What package-lock.json asks for on this machine and node_modules lacks, or has in another version.
 *
 * @param {string} root
 * @param {boolean} dev false leaves out what only tests, checks and compiling need
 * @returns {string[]} folders below the root
 */
export function missingPackages(root, dev) {
  const all = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const asked = Object.entries(all).filter(([, entry]) => dev || runs(entry));
  // An optional package comes with what names it, and is left out with that.
  const named = new Set(
    asked.flatMap(([, { optionalDependencies }]) => Object.keys(optionalDependencies ?? {})),
  );
  const isAsked = (folder, { optional }) => !optional || named.has(nameOf(folder));
  return asked
    .filter(([folder, entry]) => isPackage(folder) && isAsked(folder, entry) && isRequired(entry))
    .filter(([folder, entry]) => !isThere(root, folder, entry))
    .map(([folder]) => folder);
}

function nameOf(folder) {
  return folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
}

/** The checkout itself and its workspaces are entries too, but nothing that npm puts into node_modules. */
function isPackage(folder) {
  return folder.split("/").includes("node_modules");
}

/** Whether npm installs a package for running; one that is at once for development and optional it may leave out. */
function runs({ dev, devOptional }) {
  return !dev && !devOptional;
}

/** A workspace is a link to its folder; everything else has the version asked for. */
function isThere(root, folder, entry) {
  if (entry.link) return realPath(join(root, folder)) === realPath(join(root, entry.resolved));
  return versionIn(join(root, folder)) === entry.version;
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

function realPath(path) {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}

function stampOf(root, dev) {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return JSON.stringify({ lock, platform: process.platform, arch: process.arch, dev });
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
