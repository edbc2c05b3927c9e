import { mkdirSync, statSync } from "node:fs";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { createSecret, isExposed, readIfPresent, replaceSecret } from "./files.ts";
import { decryptKey, encryptKey, guessableRounds, randomRounds } from "./keystore.ts";
import { openPassphrase } from "./passphrase.ts";
import { type KeyPlace, keyPath } from "./place.ts";
import { isPrivateKey, statedAddress } from "./privateKey.ts";

/**
 * Decrypts the machine's key. A missing key is created; one that is not encrypted is encrypted. Key and passphrase are readable by
 * their owner alone.
 *
 * @throws FatalError `node_key_unusable` or `node_passphrase_unusable`.
 */
export async function openIdentity(place: KeyPlace): Promise<PrivateKeyAccount> {
  return privateKeyToAccount(await openPrivateKey(place));
}

/** As openIdentity: the private key itself. */
export async function openPrivateKey(place: KeyPlace): Promise<Hex> {
  const path = keyPath(place);
  try {
    mkdirSync(place.dir, { recursive: true, mode: 0o700 });
    const text = readKeyFile(path);
    if (text !== undefined && !isPrivateKey(text))
      return await decryptKey(text, openPassphrase(place, true).text);
    const privateKey = text ?? generatePrivateKey();
    const keystore = await encryptForPlace(privateKey, place);
    if (text !== undefined) replaceSecret(path, keystore);
    else createSecret(path, keystore);
    // Another process may have created it first.
    return text === undefined ? await openPrivateKey(place) : privateKey;
  } catch (error) {
    if (error instanceof FatalError) throw error;
    throw new FatalError(`The key file ${path} cannot be used: ${messageOf(error)}.`, {
      code: "node_key_unusable",
      hint: "Choose a directory that this user can write to, or change its owner.",
      cause: error,
    });
  }
}

/** Encrypts a key with the machine's passphrase, which is created if it is missing. */
export function encryptForPlace(privateKey: Hex, place: KeyPlace): Promise<string> {
  const { text } = openPassphrase(place, false);
  return encryptKey(privateKey, text, isRandom(text) ? randomRounds : guessableRounds);
}

/** Whether a passphrase looks like 256 random bits: as openPassphrase creates them, or in hexadecimal, as the install script does. */
const isRandom = (passphrase: string) => /^([\w-]{43}|[0-9a-f]{64})$/.test(passphrase);

/**
 * Reads a key file: a private key or a keystore; undefined if it does not exist.
 *
 * @throws FatalError `node_key_unusable` when it is neither, or readable by other users.
 */
export function readKeyFile(path: string): string | undefined {
  const text = readIfPresent(path);
  if (text === undefined) return undefined;
  if (isExposed(statSync(path).mode)) {
    throw new FatalError(`The key file ${path} is readable by other users.`, {
      code: "node_key_unusable",
      hint: `Run: chmod 600 ${path}`,
    });
  }
  if (isPrivateKey(text) || statedAddress(text) !== undefined) return text;
  throw new FatalError(`The key file ${path} contains neither a private key nor a keystore.`, {
    code: "node_key_unusable",
    hint: "Restore it from a backup, or remove it to join as a new node.",
  });
}
