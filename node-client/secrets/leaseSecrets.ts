import { namesIn } from "@ngpu/protocol/secrets";
import { FatalError } from "@ngpu/runtime/errors";
import { type Assignment, fencedKey } from "../leases.ts";
import type { Plan } from "../reconcileFacts.ts";
import { missing, type SecretClient, type SecretValues } from "./secretClient.ts";
import type { SecretFiles } from "./secretFiles.ts";

type Runnable = Extract<Plan, { type: "runnable" }>;

/** What a container gets of its lease's secrets. */
export type ContainerSecrets = {
  env: Record<string, string>;
  /** Folder to mount; undefined: no secret is a file. */
  folder: string | undefined;
};

/** Fetches secrets for the containers of leases. */
export type LeaseSecrets = {
  /** The secrets of a container that is to be created. @throws as SecretClient.fetch; FatalError `secret_not_text`. */
  ofNew(lease: Assignment, plan: Runnable): Promise<ContainerSecrets>;
  /** Writes the files of an existing container again, if this machine has lost them by a restart. */
  restore(lease: Assignment, plan: Runnable): Promise<void>;
  /** Removes what belongs to no lease or container. */
  keepOnly(leaseKeys: ReadonlySet<string>): void;
};

export function createLeaseSecrets(client: Pick<SecretClient, "fetch">, files: SecretFiles): LeaseSecrets {
  const putFiles = (lease: Assignment, names: readonly string[], values: SecretValues) =>
    files.put(fencedKey(lease), new Map(names.map((name) => [name, requireValue(values, name)])));
  return {
    ofNew: async (lease, { config: { secrets } }) => {
      if (secrets === undefined) return { env: {}, folder: undefined };
      const values = await client.fetch(lease);
      const absent = namesIn(secrets).filter((name) => !values.has(name));
      if (absent.length > 0) throw missing(absent);
      return {
        env: Object.fromEntries(secrets.env.map((name) => [name, textOf(name, requireValue(values, name))])),
        folder: secrets.files.length === 0 ? undefined : putFiles(lease, secrets.files, values),
      };
    },
    restore: async (lease, { config: { secrets } }) => {
      if (secrets === undefined || secrets.files.length === 0) return;
      if (files.find(fencedKey(lease)) !== undefined) return;
      const values = await client.fetch(lease);
      putFiles(lease, secrets.files, values);
    },
    keepOnly: files.keepOnly,
  };
}

function requireValue(values: SecretValues, name: string): Buffer {
  const value = values.get(name);
  if (value === undefined) throw missing([name]);
  return value;
}

/** A value as a variable of the environment has it. */
function textOf(name: string, value: Buffer): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(value);
    if (!text.includes("\0")) return text;
  } catch {
    // The bytes are no UTF-8.
  }
  throw new FatalError(`The secret ${name} is not text, and cannot be a variable of the environment.`, {
    code: "secret_not_text",
    hint: "The workspace's owner names it as a file.",
  });
}
