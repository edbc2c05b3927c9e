import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import type { SecretValues } from "./secretClient.ts";

/** Folders that are in memory on Linux. */
const candidates = ["/run", "/dev/shm"];
/** What statfs says of a file system in memory. */
const tmpfs = 0x01021994;

/** Secrets that are files: in memory of this machine, readable by its administrator and the container of their lease. */
export type SecretFiles = {
  /** Folder of a lease's files, which its container mounts; undefined: there is none. */
  find(leaseKey: string): string | undefined;
  /**
   * Writes the files of a lease.
   *
   * @throws FatalError `secrets_without_memory` when no file system is in memory.
   */
  put(leaseKey: string, values: SecretValues): string;
  /** Removes the files of all leases but these. */
  keepOnly(leaseKeys: ReadonlySet<string>): void;
};

/**
 * @param owner Tells the nodes of a machine apart.
 * @param root Default: the first folder that is in memory.
 */
export function createSecretFiles(owner: string, root = inMemory()): SecretFiles {
  const base = root === undefined ? undefined : join(root, "ngpu-secrets", owner);
  const folderOf = (leaseKey: string) => join(base ?? "", leaseKey.replaceAll("/", "-"));
  return {
    find: (leaseKey) => {
      const folder = folderOf(leaseKey);
      return base !== undefined && existsSync(folder) ? folder : undefined;
    },
    put: (leaseKey, values) => {
      if (base === undefined) throw withoutMemory();
      const folder = folderOf(leaseKey);
      const fresh = `${folder}.new`;
      // Others on this machine cannot pass the folders above; the container sees the last one alone.
      mkdirSync(base, { recursive: true, mode: 0o700 });
      rmSync(fresh, { recursive: true, force: true });
      mkdirSync(fresh, { mode: 0o755 });
      for (const [name, value] of values) writeFileSync(join(fresh, name), value, { mode: 0o444 });
      rmSync(folder, { recursive: true, force: true });
      renameSync(fresh, folder);
      return folder;
    },
    keepOnly: (leaseKeys) => {
      if (base === undefined || !existsSync(base)) return;
      const kept = new Set([...leaseKeys].map((key) => key.replaceAll("/", "-")));
      for (const name of readdirSync(base))
        if (!kept.has(name.replace(/\.new$/, ""))) rmSync(join(base, name), { recursive: true, force: true });
    },
  };
}

function inMemory(): string | undefined {
  return candidates.find((path) => {
    try {
      return statfsSync(path).type === tmpfs;
    } catch {
      return false;
    }
  });
}

function withoutMemory(): FatalError {
  return new FatalError(`Neither ${candidates.join(" nor ")} is a file system in memory (tmpfs).`, {
    code: "secrets_without_memory",
    hint: "Mount one: mount -t tmpfs tmpfs /dev/shm",
  });
}
