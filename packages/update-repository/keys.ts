import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { canonicalJson } from "@ngpu/runtime/json";
import { Key, Signature } from "@tufjs/models";

/** A key that signs metadata. */
export type Signer = { key: Key; sign(data: Buffer): Signature };

/**
 * Creates an ed25519 key in a PEM file that only this user can read.
 *
 * @param passphrase Encrypts the key; undefined stores it in clear, for a key that a service needs at its start.
 * @throws The file system's error where the file exists.
 */
export function createKeyFile(path: string, passphrase: string | undefined): Signer {
  const { privateKey } = generateKeyPairSync("ed25519");
  const encryption = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  const pem = privateKey.export({ type: "pkcs8", format: "pem", ...encryption });
  writeFileSync(path, pem, { mode: 0o600, flag: "wx" });
  return signerOf(privateKey);
}

/** Reads a key. @throws FatalError `update_key_invalid` when the file holds no ed25519 key, or the passphrase is another. */
export function readKeyFile(path: string, passphrase?: string): Signer {
  try {
    const key = createPrivateKey({ key: readFileSync(path), passphrase: passphrase ?? "" });
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is a key for ${key.asymmetricKeyType}`);
    return signerOf(key);
  } catch (error) {
    throw new FatalError(`${path} holds no usable ed25519 key: ${messageOf(error)}.`, {
      code: "update_key_invalid",
      hint: "Check the path and the passphrase. npm run updates -- init creates the keys.",
      cause: error,
    });
  }
}

function signerOf(privateKey: KeyObject): Signer {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  const value = {
    keytype: "ed25519",
    scheme: "ed25519",
    keyval: { public: Buffer.from(x as string, "base64url").toString("hex") },
  };
  const keyID = createHash("sha256").update(canonicalJson(value)).digest("hex");
  return {
    key: new Key({ keyID, keyType: value.keytype, scheme: value.scheme, keyVal: value.keyval }),
    sign: (data) => new Signature({ keyID, sig: sign(undefined, data, privateKey).toString("hex") }),
  };
}
