// Checks whether the compiled contracts in the repository match its sources. Plain JavaScript: the bootstrap runs it
// before packages are installed, because only compiling needs the compiler.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readText } from "./readText.mjs";

/** Directory of the stored compiled contracts, in the layout of Hardhat's artifacts. */
export const COMPILED = "contracts/compiled";

const MANIFEST = `${COMPILED}/manifest.json`;
const COMPILER = "contracts/compiler.json";
/** Packages that determine the bytecode. */
const PACKAGES = ["@openzeppelin/contracts", "solc"];

/**
 * True when the stored contracts were compiled from these sources, with these settings and packages.
 *
 * @param {string} root the checkout
 */
export function isCompiled(root) {
  const kept = readText(join(root, MANIFEST));
  return kept !== undefined && kept === manifestOf(root);
}

/**
 * The manifest for the current sources: a hash of each file that determines the bytecode, and the version of each
 * package.
 *
 * @param {string} root the checkout
 * @returns {string} the file's text
 */
export function manifestOf(root) {
  const lock = JSON.parse(readText(join(root, "package-lock.json")) ?? "{}").packages ?? {};
  const packages = PACKAGES.map((name) => [name, lock[`node_modules/${name}`]?.version ?? "none"]);
  const files = [COMPILER, ...sourcesOf(root)].map((file) => [file, hashOf(join(root, file))]);
  return `${JSON.stringify({ packages: Object.fromEntries(packages), files: Object.fromEntries(files) }, null, 2)}\n`;
}

/** The manifest's path in a checkout. */
export function manifestPath(root) {
  return join(root, MANIFEST);
}

/** The Solidity files in contracts/, sorted, so that the text does not depend on the machine. */
function sourcesOf(root) {
  const found = [];
  const open = ["contracts"];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== "node_modules") open.push(path);
      else if (entry.isFile() && entry.name.endsWith(".sol")) found.push(path);
    }
  }
  return found.sort();
}

function hashOf(path) {
  return createHash("sha256")
    .update(readText(path) ?? "")
    .digest("hex");
}
