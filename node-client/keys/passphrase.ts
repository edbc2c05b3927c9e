import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { createSecret, readIfPresent } from "./files.ts";
import type { KeyPlace } from "./place.ts";

/** The passphrase of a keystore, and the file that it comes from. */
export type Passphrase = { text: string; path: string };

/** Name of the systemd credential with the passphrase. */
const credential = "passphrase";

/**
 * The file of the passphrase: the systemd credential `passphrase`, else the configured file, else one beside the key.
 */
export function passphrasePath({ dir, name, passphraseFile }: KeyPlace): string {
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  const given = credentials === undefined ? undefined : join(credentials, credential);
  if (given !== undefined && readIfPresent(given) !== undefined) return given;
  return passphraseFile ?? join(dir, `${name}.passphrase`);
}

/**
 * Reads the passphrase. A missing one is created, with 256 random bits, if there is no keystore that needs it.
 *
 * @throws FatalError `node_passphrase_unusable` when it is missing, empty, or readable by other users.
 */
export function openPassphrase(place: KeyPlace, hasKeystore: boolean): Passphrase {
  const path = passphrasePath(place);
  if (!hasKeystore && readIfPresent(path) === undefined)
    createSecret(path, randomBytes(32).toString("base64url"));
  return readPassphrase(path);
}

/** Reads a passphrase from a file. @throws FatalError `node_passphrase_unusable`. */
export function readPassphrase(path: string): Passphrase {
  const text = readIfPresent(path);
  if (text === undefined || text === "") {
    throw unusable(
      `The passphrase file ${path} ${text === undefined ? "does not exist" : "is empty"}.`,
      "Restore it from its backup: without it the key cannot be decrypted.",
    );
  }
  // systemd gives a credential to the service's user by an access list, which the mode shows as rights of the group.
  const isCredential = path.startsWith(`${process.env.CREDENTIALS_DIRECTORY}/`);
  if ((statSync(path).mode & (isCredential ? 0o007 : 0o077)) !== 0)
    throw unusable(`The passphrase file ${path} is readable by other users.`, `Run: chmod 600 ${path}`);
  return { text, path };
}

function unusable(message: string, hint: string): FatalError {
  return new FatalError(message, { code: "node_passphrase_unusable", hint });
}
