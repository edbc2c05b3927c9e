import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { version } from "@ngpu/node-client/version";
import { FatalError } from "@ngpu/runtime/errors";
import { writeArchive } from "./archive.ts";
import { bundlePrograms, type ClientBundles } from "./cachedBundle.ts";
import { type Platform, packRuntime } from "./runtime.ts";

/** The directory in a client archive. */
const folder = "ngpu-client";

/** The content of `client/manifest.json`; `file` is relative to it, `bytes` is the archive's size. */
export type ClientManifest = {
  version: string;
  platforms: Partial<Record<Platform, { file: string; sha256: string; bytes: number }>>;
};

/**
 * Writes a release of the node client into a directory that apiServer, or any web server, serves unchanged:
 *
 * - `install_mcNode.sh`, `install_measure.sh`: the install scripts
 * - `client/<version>/ngpu-client-<platform>.tar.gz`: the client in one file, and Node
 * - `client/manifest.json`: the archives with their hashes
 *
 * Other releases in the directory stay. The manifest is replaced last, so that all archives it lists exist.
 *
 * @throws FatalError `install_failed` when Node for a platform cannot be fetched.
 */
export async function writeRelease(options: {
  rootDir: string;
  outDir: string;
  platforms: readonly Platform[];
  /** Returns the client's programs. Default: bundles them. */
  bundle?: (rootDir: string, cacheDir: string) => Promise<ClientBundles>;
  signal?: AbortSignal;
}): Promise<ClientManifest> {
  const { rootDir, outDir, bundle = bundlePrograms, signal } = options;
  const cacheDir = join(rootDir, ".ngpu/cache/client");
  const { client, keystore } = await bundle(rootDir, cacheDir);
  const script = readFileSync(join(rootDir, "scripts/install_mcNode.sh"), "utf8");
  const files = [
    // Removes the client when the market is gone.
    { path: `${folder}/install.sh`, text: script },
    { path: `${folder}/client.mjs`, text: client },
    { path: `${folder}/keystore.mjs`, text: keystore },
    { path: `${folder}/service.unit`, text: readFileSync(join(rootDir, "node-client/service.unit"), "utf8") },
  ];
  const clientDir = join(outDir, "client");
  mkdirSync(join(clientDir, version), { recursive: true });
  const manifest: ClientManifest = { version, platforms: {} };
  for (const platform of options.platforms) {
    const begin = await packRuntime({ rootDir, cacheDir, platform, folder, ...(signal && { signal }) });
    const file = `${version}/ngpu-client-${platform}.tar.gz`;
    const draft = join(clientDir, `${file}.new`);
    const written = await writeArchive(draft, { begin, files });
    renameSync(draft, join(clientDir, file));
    manifest.platforms[platform] = { file, ...written };
  }
  replaceFile(join(outDir, "install_mcNode.sh"), script);
  replaceFile(join(outDir, "install_measure.sh"), measurerScript(script));
  replaceFile(join(clientDir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** The install script of a measurement node. It is complete in itself, because it is piped into a shell. */
export function measurerScript(node: string): string {
  const script = node.replace(/^role=node$/m, "role=measurer");
  if (script !== node) return script;
  throw new FatalError("install_mcNode.sh has no line role=node.", {
    code: "install_script_invalid",
    hint: "Restore the line role=node of node-client/install_mcNode.sh.",
  });
}

function replaceFile(path: string, text: string): void {
  const draft = join(dirname(path), `.${basename(path)}.new`);
  rmSync(draft, { force: true });
  writeFileSync(draft, text);
  renameSync(draft, path);
}
