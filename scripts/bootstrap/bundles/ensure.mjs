// Keeps npm packages in one file each, so that the programs of a market and of tests start faster.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { readText } from "../readText.mjs";

/** What determines the bundles, besides the installed packages. */
const own = ["packages.mjs", "build.mjs"];
const here = dirname(fileURLToPath(import.meta.url));
/** Age in ms after which a draft is that of a killed process. */
const ABANDONED_MS = 3_600_000;

/**
 * Bundles the packages unless that was done since the last installation.
 *
 * @param {string} root the checkout
 * @param {string} node the Node 24 that runs its programs
 * @returns {Promise<string | undefined>} the option of Node with which a program uses the bundles; undefined when there
 *   are none, and the program loads the packages' own files
 */
export async function ensureBundles(root, node) {
  const installed = readText(join(root, "node_modules/.package-lock.json"));
  if (installed === undefined || !existsSync(join(root, "node_modules/esbuild"))) return undefined;
  const hash = createHash("sha256").update(installed);
  for (const file of own) hash.update(readFileSync(join(here, file)));
  const cache = join(root, ".ngpu/cache/packages");
  const name = hash.digest("hex").slice(0, 16);
  const folder = join(cache, name);
  if (!existsSync(folder) && !(await build(node, folder))) return undefined;
  removeOthers(cache, name);
  const hook = pathToFileURL(join(here, "hook.mjs"));
  hook.searchParams.set("bundles", folder);
  return `--import=${hook.href}`;
}

async function build(node, folder) {
  try {
    await promisify(execFile)(node, [join(here, "build.mjs"), folder]);
    return true;
  } catch (error) {
    process.stderr.write(
      `The npm packages could not be bundled, so programs start slower: ${error.message}\n`,
    );
    return false;
  }
}

function removeOthers(cache, name) {
  for (const other of readdirSync(cache)) {
    const path = join(cache, other);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    const isUsed = other === name || (other.startsWith(".") && age < ABANDONED_MS);
    if (!isUsed) rmSync(path, { recursive: true, force: true });
  }
}
