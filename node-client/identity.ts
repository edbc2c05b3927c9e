import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/**
 * Reads the machine's key from `<dir>/<name>.key`. A missing key is created, readable by its owner alone.
 *
 * @throws FatalError `node_key_unusable` when the file cannot be read or written, or others can read it.
 */
export function openIdentity(dir: string, name: "node" | "measurer"): PrivateKeyAccount {
  const path = join(dir, `${name}.key`);
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return read(path) ?? create(path);
  } catch (error) {
    if (error instanceof FatalError) throw error;
    throw new FatalError(`The key file ${path} cannot be used: ${messageOf(error)}.`, {
      code: "node_key_unusable",
      hint: "Choose a directory that this user can write to, or change its owner.",
      cause: error,
    });
  }
}

/** Whether others than its owner can read a file of this mode. */
export const isExposed = (mode: number) => (mode & 0o077) !== 0;

/** Whether a text is a private key as the client stores it. */
export const isKey = (text: string) => /^0x[0-9a-f]{64}$/.test(text);

function read(path: string): PrivateKeyAccount | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if (isExposed(statSync(path).mode)) {
    throw new FatalError(`The key file ${path} is readable by other users.`, {
      code: "node_key_unusable",
      hint: `Run: chmod 600 ${path}`,
    });
  }
  if (!isKey(text)) {
    throw new FatalError(`The key file ${path} does not contain a private key.`, {
      code: "node_key_unusable",
      hint: "Restore it from a backup, or remove it to join as a new node.",
    });
  }
  return privateKeyToAccount(text as `0x${string}`);
}

/** Links a finished file into place: a kill leaves no key or a complete one, and the first of two writers wins. */
function create(path: string): PrivateKeyAccount | never {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${generatePrivateKey()}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
  const account = read(path);
  if (account === undefined) throw new Error("it was removed while it was written");
  return account;
}
