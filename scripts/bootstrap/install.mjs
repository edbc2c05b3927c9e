// Installs the packages, with the one Node that all of them accept.
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../lock.mjs";
import { InstallError, runNpm } from "./npm.mjs";
import { isInstalled, missingPackages, writeStamp } from "./tree.mjs";

/**
 * Makes node_modules what package-lock.json asks for. Of two that do this at once, one installs and the other waits.
 *
 * @param {string} root the checkout
 */
export async function ensureInstalled(root) {
  if (isInstalled(root)) return;
  refuseUnsafe(root);
  const release = await waitForLock(join(root, ".ngpu/install.lock"));
  try {
    if (isInstalled(root)) return;
    refuseWhileRunning(root);
    const node = await findNode(root);
    rmSync(join(root, "node_modules"), { recursive: true, force: true });
    // Not `npm ci`: it fails where the registry lacks a package for some other machine, which nothing here needs.
    // All kinds of packages whatever NODE_ENV says, and the install scripts that package.json allows: two packages
    // put their binaries in place by them.
    const kinds = ["--include=dev", "--include=optional", "--ignore-scripts=false"];
    const args = ["install", "--no-save", ...kinds, "--no-audit", "--no-fund"];
    await runNpm({ what: "the npm packages", node, args, cwd: root });
    verify(root);
    writeStamp(root);
  } finally {
    release();
  }
}

/** A linked node_modules belongs to another checkout, whose packages are not ours to delete. */
function refuseUnsafe(root) {
  const link = lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink();
  if (!link) return;
  throw new InstallError(
    "node_modules is a symbolic link, and what it points to is not what package-lock.json asks for. Install there, or remove the link.",
  );
}

/** Replacing the packages under running services breaks them. */
function refuseWhileRunning(root) {
  const lock = tryLock(join(root, ".ngpu/run/owner.lock"));
  if (lock.release === undefined) {
    throw new InstallError(
      `The npm packages must be updated, and ngpu runs from this folder. Stop it first: kill -INT ${lock.holder}`,
    );
  }
  lock.release();
}

async function waitForLock(path) {
  let said = false;
  for (;;) {
    const lock = tryLock(path);
    if (lock.release !== undefined) return lock.release;
    if (!said) process.stderr.write(`Waiting for process ${lock.holder}, which installs the npm packages\n`);
    said = true;
    await delay(200);
  }
}

/**
 * The Node that npm runs under. Under an older one npm leaves out, without a word, the optional packages that ask for a
 * newer one, and the chain's engine is among them. And it must not live in the node_modules that npm replaces.
 */
async function findNode(root) {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).dependencies.node;
  const inside = process.execPath.startsWith(join(root, "node_modules") + sep);
  if (majorOf(process.versions.node) >= majorOf(wanted) && !inside) return process.execPath;
  // npm's `node` package fetches this one in an install script; asking for it by name needs no script.
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const name = `${prefix}-${process.platform}-${process.arch}`;
  const toolchain = join(root, ".ngpu/toolchain");
  const node = join(toolchain, "node_modules", name, "bin/node");
  if (versionOf(node) === wanted) return node;
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
  return node;
}

function verify(root) {
  const missing = missingPackages(root);
  if (missing.length > 0) {
    throw new InstallError(`npm did not install all packages; missing are:\n  ${missing.join("\n  ")}`);
  }
  const node = join(root, "node_modules/.bin/node");
  if (versionOf(node) === undefined) {
    throw new InstallError(
      `npm installed the packages, but ${node} does not run: the install script of package node was not run.`,
    );
  }
}

function versionOf(node) {
  try {
    return execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
  } catch {
    // Not there, or made for another machine: in both cases it is of no use.
    return undefined;
  }
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}
