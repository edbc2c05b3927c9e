import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createKeyFile, readKeyFile, type Signer } from "@ngpu/update-repository/keys";
import { addRelease, createRepository } from "@ngpu/update-repository/offline";
import { cachedBundles } from "../client/cachedBundle.ts";
import { type ClientManifest, writeRelease } from "../client/release.ts";
import { ownPlatform } from "../client/runtime.ts";

/** Directory of the client releases that apiServer of this market serves. */
export const releasesDir = (stateDir: string): string => join(stateDir, "releases");

/** The update repository of this market, which config signs in. */
export const updateRepository = (stateDir: string): string => join(releasesDir(stateDir), "client");

/** The keys of the update repository. On one machine they are in one place. */
export const updateKeys = (stateDir: string): string => join(stateDir, "update-keys");

/** Writes and signs the node client's release for this machine's platform. It downloads nothing. */
export async function releaseClient(options: {
  rootDir: string;
  stateDir: string;
  signal: AbortSignal;
}): Promise<void> {
  const { rootDir, stateDir, signal } = options;
  const own = ownPlatform();
  const releases = openRepository(stateDir);
  const manifest = await writeRelease({
    rootDir,
    outDir: releasesDir(stateDir),
    platforms: own === undefined ? [] : [own],
    bundle: cachedBundles,
    signal,
  });
  signRelease(stateDir, releases, manifest);
}

/** Signs the archives of a release. A checkout that changed writes other archives under the same version. */
function signRelease(stateDir: string, releases: Signer, { version, platforms }: ClientManifest): void {
  const archives = Object.entries(platforms).map(([platform, { sha256, bytes }]) => ({
    platform,
    sha256,
    bytes,
  }));
  addRelease(updateRepository(stateDir), releases, { version, archives, replace: true }, Date.now());
}

/** Creates keys and repository at the first start. @returns The releases key. */
function openRepository(stateDir: string): Signer {
  const [dir, keys] = [updateRepository(stateDir), updateKeys(stateDir)];
  const path = (name: string) => join(keys, `${name}.pem`);
  const isComplete = ["root", "releases", "online"].every((name) => existsSync(path(name)));
  if (isComplete && existsSync(join(dir, "metadata/1.root.json"))) return readKeyFile(path("releases"));
  // A start that was killed in between begins again: no client trusts its root yet.
  for (const folder of [keys, join(dir, "metadata")]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(keys, { recursive: true, mode: 0o700 });
  const create = (name: string) => createKeyFile(path(name), undefined);
  const offline = { root: create("root"), releases: create("releases") };
  createRepository(dir, offline, create("online").key, Date.now());
  return offline.releases;
}
