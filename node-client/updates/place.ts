import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientConfig, clientConfig, releaseVersion } from "@ngpu/protocol/updates";

/** The directory in which the launcher and the client exchange what concerns updates. See launcher.sh. */
export type UpdatePlace = { dir: string };

/** The place of this process. @returns undefined when no launcher started it: it cannot be replaced then. */
export function updatePlace(env: Record<string, string | undefined> = process.env): UpdatePlace | undefined {
  const dir = env.NGPU_UPDATES;
  if (dir === undefined || dir === "") return undefined;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return { dir };
}

/** Directory of an unpacked release. */
export const releaseDir = ({ dir }: UpdatePlace, version: string): string => join(dir, "releases", version);

/** Lets the launcher start a release that is unpacked, as a trial. */
export function setPending(place: UpdatePlace, version: string): void {
  write(place, "pending", version);
}

/** Reports to the launcher that this release works. */
export function markHealthy(place: UpdatePlace, version: string): void {
  write(place, "healthy", version);
}

/** Releases that did not become healthy on this machine. */
export function failedReleases(place: UpdatePlace): string[] {
  return versions(place, "failed");
}

/** Notes a release that does not run here, so that it is not fetched again. */
export function markFailed({ dir }: UpdatePlace, version: string): void {
  appendFileSync(join(dir, "failed"), `${version}\n`);
}

/** The signed configuration that was verified last. */
export function readClientConfig(place: UpdatePlace | undefined): ClientConfig {
  const text = place === undefined ? undefined : readText(place, "client-config.json");
  return clientConfig.parse(text === undefined ? { version: 1 } : JSON.parse(text));
}

/** Stores a verified configuration. @returns Whether it is another than before. */
export function storeClientConfig(place: UpdatePlace, text: string): boolean {
  const previous = readText(place, "client-config.json");
  write(place, "client-config.json", text);
  return readText(place, "client-config.json") !== previous;
}

function versions(place: UpdatePlace, file: string): string[] {
  const lines = (readText(place, file) ?? "").split("\n");
  return lines.filter((line) => releaseVersion.safeParse(line).success);
}

function readText({ dir }: UpdatePlace, file: string): string | undefined {
  try {
    return readFileSync(join(dir, file), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function write({ dir }: UpdatePlace, file: string, text: string): void {
  const path = join(dir, file);
  writeFileSync(`${path}.new`, text.endsWith("\n") ? text : `${text}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
