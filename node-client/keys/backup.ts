import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { InputError, messageOf } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { privateKeyToAddress } from "viem/accounts";
import { createSecret, replaceSecret } from "./files.ts";
import { encryptForPlace, openPrivateKey, readKeyFile } from "./identity.ts";
import { decryptKey, encryptKey, guessableRounds } from "./keystore.ts";
import { readPassphrase } from "./passphrase.ts";
import { type KeyPlace, keyPath } from "./place.ts";
import { isPrivateKey, statedAddress } from "./privateKey.ts";

/**
 * Writes the machine's key as a keystore with a passphrase of its own.
 *
 * @param passphraseFile File of the backup's passphrase.
 * @throws InputError `key_file_exists` or `key_file_unusable`; FatalError `node_key_unusable` or `node_passphrase_unusable`.
 */
export async function backUpKey(place: KeyPlace, file: string, passphraseFile: string): Promise<Hex> {
  const { text } = readPassphrase(passphraseFile);
  const privateKey = await openPrivateKey(place);
  const keystore = await encryptKey(privateKey, text, guessableRounds);
  try {
    writeFileSync(file, `${keystore}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw new InputError(`The backup ${file} cannot be written: ${messageOf(error)}.`, {
      code: exists ? "key_file_exists" : "key_file_unusable",
      hint: "Name a file that does not exist yet, in a directory that you can write to.",
      cause: error,
    });
  }
  return privateKeyToAddress(privateKey);
}

/**
 * Makes the key of a file this machine's key: a private key, or a keystore with its passphrase. The machine's own passphrase encrypts
 * it from then on.
 *
 * @param options.replace Replace another key. It is lost if there is no backup of it.
 * @throws InputError `key_file_exists` when the machine has another key; FatalError `node_key_unusable` or `node_passphrase_unusable`.
 */
export async function importKey(
  place: KeyPlace,
  file: string,
  options: { passphraseFile?: string | undefined; replace: boolean },
): Promise<Hex> {
  const privateKey = await readForeignKey(file, options.passphraseFile);
  const address = privateKeyToAddress(privateKey);
  const path = keyPath(place);
  const present = existsSync(path) ? privateKeyToAddress(await openPrivateKey(place)) : undefined;
  if (present !== undefined && present !== address && !options.replace) {
    throw new InputError(`This machine has the key ${present} already, in ${path}.`, {
      code: "key_file_exists",
      hint: "Back it up with ngpu-node key backup, then add --replace.",
    });
  }
  mkdirSync(place.dir, { recursive: true, mode: 0o700 });
  const keystore = await encryptForPlace(privateKey, place);
  if (present === undefined) createSecret(path, keystore);
  else replaceSecret(path, keystore);
  return address;
}

async function readForeignKey(file: string, passphraseFile: string | undefined): Promise<Hex> {
  const text = readKeyFile(file);
  if (text === undefined) throw unusable(`The key file ${file} does not exist.`);
  if (isPrivateKey(text)) return text;
  if (passphraseFile === undefined)
    throw unusable(`The keystore ${file} of ${statedAddress(text)} needs its passphrase: --passphrase-file.`);
  return decryptKey(text, readPassphrase(passphraseFile).text);
}

function unusable(message: string): InputError {
  return new InputError(message, {
    code: "key_file_unusable",
    hint: "Name a file with a keystore, or with 0x and 64 hexadecimal digits, of mode 0600.",
  });
}
