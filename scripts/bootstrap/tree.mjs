// Compares node_modules with package-lock.json.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { readText } from "./readText.mjs";

/**
 * True when all packages are installed, in the locked versions and for this platform. It is read from the packages each
 * time, in some 30 ms: a record of an earlier installation stays when npm is run by hand, as for another branch.
 *
 * @param {string} root
 * @param {boolean} dev false checks only the packages that a market needs to run
 */
export function isInstalled(root, dev) {
  return existsSync(join(root, "node_modules/.bin/node")) && missingPackages(root, dev).length === 0;
}

/**
 * Packages of package-lock.json for this platform that node_modules lacks, or has in another version.
 *
 * @param {string} root
 * @param {boolean} dev false omits the packages that only tests, checks and compiling need
 * @returns {string[]} folders below the root
 */
export function missingPackages(root, dev) {
  const all = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const asked = Object.entries(all).filter(([, entry]) => dev || runs(entry));
  // An optional package is installed with its dependent, and omitted with it.
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

/** Excludes the entries of the checkout and its workspaces, which are not installed into node_modules. */
function isPackage(folder) {
  return folder.split("/").includes("node_modules");
}

/** Whether npm installs a package without dev dependencies; it may omit one that is both dev and optional. */
function runs({ dev, devOptional }) {
  return !dev && !devOptional;
}

/** True for a link to a workspace's directory, or a package of the locked version. */
function isThere(root, folder, entry) {
  if (entry.link) return realPath(join(root, folder)) === realPath(join(root, entry.resolved));
  return versionIn(join(root, folder)) === entry.version;
}

/** An optional package may be omitted, unless it is built for this platform: then another package needs it. */
function isRequired({ optional, os, cpu, libc }) {
  const fits =
    allows(os, process.platform) &&
    allows(cpu, process.arch) &&
    (libc === undefined || allows(libc, libcName()));
  if (optional) return fits && os !== undefined;
  return fits;
}

function allows(list, own) {
  if (list === undefined || own === undefined) return true;
  const refused = list.some((entry) => entry === `!${own}`);
  return !refused && (list.includes(own) || list.every((entry) => entry.startsWith("!")));
}

/** A report takes milliseconds, and many packages are built for one libc. */
let ownLibc;

function libcName() {
  if (process.platform !== "linux") return undefined;
  // Without the addresses of open connections, which it would look up.
  process.report.excludeNetwork = true;
  ownLibc ??= process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
  return ownLibc;
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
