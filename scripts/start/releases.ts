import { join } from "node:path";
import { cachedBundles } from "../client/cachedBundle.ts";
import { writeRelease } from "../client/release.ts";
import { ownPlatform } from "../client/runtime.ts";

/** Directory of the client releases that apiServer of this market serves. */
export const releasesDir = (stateDir: string): string => join(stateDir, "releases");

/** Writes the node client's release for this machine's platform. It downloads nothing. */
export async function releaseClient(options: {
  rootDir: string;
  stateDir: string;
  signal: AbortSignal;
}): Promise<void> {
  const own = ownPlatform();
  await writeRelease({
    rootDir: options.rootDir,
    outDir: releasesDir(options.stateDir),
    platforms: own === undefined ? [] : [own],
    bundle: cachedBundles,
    signal: options.signal,
  });
}
