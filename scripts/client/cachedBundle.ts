import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleClient, type ClientBundles } from "./bundle.ts";

/** Everything that determines the bundles: their sources, the packages and the bundler with its settings. */
const inputs = [
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "scripts/client/*.ts",
  "node-client/**/*.{ts,json}",
  "packages/**/*.{ts,json}",
];

const prefix = "bundles-";

/** The bundles of the node client. They are made once for the same inputs and kept in the cache directory. */
export async function cachedBundles(rootDir: string, cacheDir: string): Promise<ClientBundles> {
  const name = `${prefix}${hashOfInputs(rootDir)}.json`;
  const kept = readKept(join(cacheDir, name));
  if (kept !== undefined) return JSON.parse(kept) as ClientBundles;
  const bundles = await bundleClient(rootDir);
  mkdirSync(cacheDir, { recursive: true });
  for (const other of globSync(`${prefix}*.json`, { cwd: cacheDir }))
    rmSync(join(cacheDir, other), { force: true });
  // Renamed when it is complete, because a start may be killed.
  const draft = join(cacheDir, `${name}.${process.pid}`);
  writeFileSync(draft, JSON.stringify(bundles));
  renameSync(draft, join(cacheDir, name));
  return bundles;
}

function readKept(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function hashOfInputs(rootDir: string): string {
  const hash = createHash("sha256");
  const exclude = (path: string) => path.endsWith("node_modules");
  for (const file of globSync(inputs, { cwd: rootDir, exclude }).sort()) {
    hash.update(`${file}\n`).update(readFileSync(join(rootDir, file)));
  }
  return hash.digest("hex").slice(0, 16);
}
