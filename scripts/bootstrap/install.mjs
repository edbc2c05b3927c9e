// Installs the packages, with a Node that all of them support.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../lock.mjs";
import { InstallError, runNpm, runScripts } from "./npm.mjs";
import { isInstalled, missingPackages } from "./tree.mjs";

/** Directory of the Node that runs npm, when the machine's own is too old. */
const TOOLCHAIN = ".ngpu/toolchain";

/**
 * Installs the packages of package-lock.json. If two processes do this at once, one installs and the other waits.
 *
 * @param {string} root the checkout
 * @param {{ dev: boolean }} options without `dev` only the packages that a market needs to run
 */
export async function ensureInstalled(root, { dev }) {
  if (isInstalled(root, dev)) return;
  refuseUnsafe(root);
  const release = await waitForLock(join(root, ".ngpu/install.lock"));
  try {
    if (isInstalled(root, dev)) return;
    // Installed packages stay unchanged when only others are added, so a running market is not affected.
    const completes = dev && isInstalled(root, false);
    if (!completes) refuseWhileRunning(root);
    const found = await findNode(root);
    if (!completes) rmSync(join(root, "node_modules"), { recursive: true, force: true });
    await installPackages(root, found, dev);
    verify(root, dev);
  } finally {
    release();
  }
}

/**
 * Does not use `npm ci`, which fails when the registry lacks a package for another platform. The kinds of packages are
 * given explicitly, independent of NODE_ENV.
 */
async function installPackages(root, { node, fetched }, dev) {
  const kinds = [dev ? "--include=dev" : "--omit=dev", "--include=optional", "--ignore-scripts"];
  const args = ["install", "--no-save", ...kinds, "--no-audit", "--no-fund"];
  const what = dev ? "the npm packages" : "the npm packages that a market needs";
  await runNpm({ what, node, args, cwd: root, answered: fetched });
  const isPlaced = placeNode(root, node);
  for (const name of scriptedPackages(root)) {
    if (name === "node" && isPlaced) continue;
    const folder = join(root, "node_modules", name);
    const given = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).scripts ?? {};
    const scripts = ["preinstall", "install", "postinstall"].filter((script) => given[script] !== undefined);
    await runScripts({ name, node, folder, scripts });
  }
  linkNode(root);
}

/**
 * The packages of package.json whose install scripts are required. Scripts of other packages are not run: an older npm
 * would run all of them, including compilers.
 */
function scriptedPackages(root) {
  const { allowScripts = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name]);
  return allowed.filter((name) => existsSync(join(root, "node_modules", name)));
}

/**
 * Copies the Node program into npm's `node` package, so that its install script need not fetch it again. False when this
 * Node is not the one that findNode fetched.
 */
function placeNode(root, node) {
  if (!node.startsWith(join(root, TOOLCHAIN) + sep)) return false;
  const place = join(root, "node_modules/node/bin/node");
  mkdirSync(dirname(place), { recursive: true });
  rmSync(place, { force: true });
  linkSync(node, place);
  return true;
}

/** Links the program, because npm does not link a program that does not exist yet. */
function linkNode(root) {
  const bin = join(root, "node_modules/.bin/node");
  if (existsSync(bin)) return;
  mkdirSync(dirname(bin), { recursive: true });
  rmSync(bin, { force: true });
  symlinkSync("../node/bin/node", bin);
}

/** A linked node_modules belongs to another checkout, whose packages must not be deleted. */
function refuseUnsafe(root) {
  const link = lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink();
  if (!link) return;
  throw new InstallError(
    "node_modules is a symbolic link whose target does not match package-lock.json. Install the packages there, or remove the link.",
  );
}

/** Replacing the packages under running services breaks them. */
function refuseWhileRunning(root) {
  const lock = tryLock(join(root, ".ngpu/run/owner.lock"));
  if (lock.release === undefined) {
    throw new InstallError(
      `The npm packages must be updated, but ngpu is running from this directory. Stop it first: kill -INT ${lock.holder}`,
    );
  }
  lock.release();
}

async function waitForLock(path) {
  let announced = false;
  for (;;) {
    const lock = tryLock(path);
    if (lock.release !== undefined) return lock.release;
    if (!announced)
      process.stderr.write(`Waiting for process ${lock.holder}, which is installing the npm packages\n`);
    announced = true;
    await delay(200);
  }
}

/**
 * The Node that runs npm. Under an older one npm silently omits the optional packages that require a newer one, among
 * them the chain's engine. It must not be in the node_modules that npm replaces. `fetched`: npm has just fetched it.
 */
async function findNode(root) {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).dependencies.node;
  const inside = process.execPath.startsWith(join(root, "node_modules") + sep);
  if (majorOf(process.versions.node) >= majorOf(wanted) && !inside) {
    return { node: process.execPath, fetched: false };
  }
  // npm's `node` package fetches this package in an install script. Installing it by name needs no script.
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const name = `${prefix}-${process.platform}-${process.arch}`;
  const toolchain = join(root, TOOLCHAIN);
  const node = join(toolchain, "node_modules", name, "bin/node");
  if (versionOf(node) === wanted) return { node, fetched: false };
  mkdirSync(toolchain, { recursive: true });
  writeFileSync(join(toolchain, "package.json"), '{ "private": true }\n');
  const args = ["install", "--prefix", toolchain, "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"];
  await runNpm({
    what: `Node ${wanted}`,
    node: process.execPath,
    args: [...args, `${name}@${wanted}`],
    cwd: toolchain,
  });
  if (versionOf(node) !== wanted)
    throw new InstallError(`npm installed Node ${wanted}, but ${node} does not run.`);
  return { node, fetched: true };
}

function verify(root, dev) {
  const missing = missingPackages(root, dev);
  if (missing.length > 0) {
    throw new InstallError(`npm did not install all packages. Missing:\n  ${missing.join("\n  ")}`);
  }
  const node = join(root, "node_modules/.bin/node");
  if (versionOf(node) === undefined) {
    throw new InstallError(
      `npm installed the packages, but ${node} does not run: the install script of the package node did not run.`,
    );
  }
}

function versionOf(node) {
  try {
    return execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
  } catch {
    // Absent, or built for another platform: not usable.
    return undefined;
  }
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}
