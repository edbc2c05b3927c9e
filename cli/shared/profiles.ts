import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";

/** What `ngpu login` stores for a market. */
export type Profile = {
  api: string;
  key: string;
  wallet: string;
  /** File with the wallet's private key. */
  walletFile?: string;
};

/** The profile file. `current` is the profile of commands that name none. */
export type Profiles = { current: string; profiles: Record<string, Profile> };

/** Where profiles are stored. */
export function profilesPath(env: NodeJS.ProcessEnv = process.env): string {
  const config = env.XDG_CONFIG_HOME;
  return join(
    config === undefined || config === "" ? join(homedir(), ".config") : config,
    "ngpu/profiles.json",
  );
}

/** @throws FatalError `profiles_invalid` or `profiles_exposed`. */
export function readProfiles(path = profilesPath()): Profiles {
  if (!existsSync(path)) return { current: "default", profiles: {} };
  requirePrivate(path, "The profiles hold API keys.", "profiles_exposed");
  try {
    const { current, profiles } = JSON.parse(readFileSync(path, "utf8")) as Profiles;
    if (typeof current === "string" && typeof profiles === "object" && profiles !== null) {
      return { current, profiles };
    }
  } catch (cause) {
    throw invalid(path, cause);
  }
  throw invalid(path);
}

/** Replaces the profile file at once; only its owner may read it. */
export function writeProfiles(profiles: Profiles, path = profilesPath()): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}

/** @throws FatalError with the code when others than the owner may read the file. */
export function requirePrivate(path: string, why: string, code: "profiles_exposed" | "wallet_exposed"): void {
  const mode = statSync(path).mode & 0o777;
  if (process.platform === "win32" || (mode & 0o077) === 0) return;
  throw new FatalError(`Other users can read ${path} (mode ${mode.toString(8)}). ${why}`, {
    code,
    hint: `Run: chmod 600 ${path}`,
  });
}

function invalid(path: string, cause?: unknown): FatalError {
  return new FatalError(`${path} is not a file of profiles.`, {
    code: "profiles_invalid",
    hint: "Delete it, then run ngpu login.",
    cause,
  });
}
