import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { FatalError } from "@ngpu/runtime/errors";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Whose secret it is. A value that is moved to another wallet or name cannot be opened. */
export type SecretPlace = { wallet: string; name: string };

/** Encrypts secrets for Postgres. */
export type SecretVault = {
  /** The key that encrypts new values. */
  newestKeyId: string;
  seal(place: SecretPlace, value: Uint8Array): Buffer;
  /**
   * @param keyId The key that the value was encrypted by.
   * @throws FatalError `secret_key_missing`; Error when the value was changed or moved.
   */
  open(place: SecretPlace, keyId: string, sealed: Uint8Array): Buffer;
};

/** @param keys Newest first. The earlier ones are needed until their values have been encrypted again. */
export function createSecretVault(keys: readonly [string, ...string[]]): SecretVault {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  const newest = keys[0];
  return {
    newestKeyId: idOf(newest),
    seal: (place, value) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, keyFor(newest, place), nonce).setAAD(nameOf(place));
      const encrypted = Buffer.concat([cipher.update(value), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]);
    },
    open: (place, keyId, sealed) => {
      const key = byId.get(keyId);
      if (key === undefined) throw keyMissing(keyId);
      const nonce = sealed.subarray(0, nonceBytes);
      const decipher = createDecipheriv(algorithm, keyFor(key, place), nonce, { authTagLength: tagBytes })
        .setAAD(nameOf(place))
        .setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()]);
    },
  };
}

/** A key of each wallet's own, so that few values share one. */
const keyFor = (key: string, { wallet }: SecretPlace) =>
  Buffer.from(hkdfSync("sha256", key, wallet, "ngpu secrets", 32));

const nameOf = ({ wallet, name }: SecretPlace) => Buffer.from(`${wallet}/${name}`);

const idOf = (key: string) =>
  createHash("sha256").update(`ngpu secrets key ${key}`).digest("hex").slice(0, 8);

function keyMissing(keyId: string): FatalError {
  return new FatalError(`SECRET_KEYS lacks the key ${keyId}, by which secrets are encrypted.`, {
    code: "secret_key_missing",
    hint: "Append the earlier keys to SECRET_KEYS, until the log says secrets_encrypted_again with none left.",
    details: { keyId },
  });
}
