import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { version as ownVersion } from "@ngpu/node-client/version";
import { FatalError } from "@ngpu/runtime/errors";
import { type TextFile, writeArchive } from "./archive.ts";
import { bundleClient, type ClientBundles } from "./bundle.ts";
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
  /** Default: the checkout's. */
  version?: string;
  /** Returns the client's programs. Default: bundles them. */
  bundle?: (rootDir: string, cacheDir: string) => Promise<ClientBundles>;
  signal?: AbortSignal;
}): Promise<ClientManifest> {
  const { rootDir, outDir, signal, version = ownVersion } = options;
  const { bundle = () => bundleClient(rootDir, version) } = options;
  const cacheDir = join(rootDir, ".ngpu/cache/client");
  const bundles = await bundle(rootDir, cacheDir);
  const script = readFileSync(join(rootDir, "scripts/install_mcNode.sh"), "utf8");
  const files = [
    // Removes the client when the market is gone.
    { path: `${folder}/install.sh`, text: script },
    ...Object.entries(bundles).map(([name, text]) => ({ path: `${folder}/${name}`, text })),
    { path: `${folder}/launcher.sh`, text: readFileSync(join(rootDir, "node-client/launcher.sh"), "utf8") },
    ...rootMetadata(join(outDir, "client")),
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

/** What the client trusts updates by. A market that signs none has none, and its clients do not update themselves. */
function rootMetadata(clientDir: string): TextFile[] {
  const first = join(clientDir, "metadata/1.root.json");
  return existsSync(first) ? [{ path: `${folder}/root.json`, text: readFileSync(first, "utf8") }] : [];
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
