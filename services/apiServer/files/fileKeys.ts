import { createHash, hkdfSync } from "node:crypto";
import { FatalError } from "@ngpu/runtime/errors";

/** The keys that encrypt files on disk. Each content has a key of its own, derived from one of the service's. */
export type FileKeys = {
  /** The key from which those of new contents are derived. */
  newestKeyId: string;
  /** @throws FatalError `file_key_missing` */
  keyOf(content: { id: string; wallet: string; keyId: string }): Buffer;
};

/** @param keys Newest first. The earlier ones are needed until the files that were written with them have expired. */
export function createFileKeys(keys: readonly [string, ...string[]]): FileKeys {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  return {
    newestKeyId: idOf(keys[0]),
    keyOf: ({ id, wallet, keyId }) => {
      const key = byId.get(keyId);
      if (key === undefined) throw keyMissing(keyId);
      return Buffer.from(hkdfSync("sha256", key, id, `ngpu files ${wallet}`, 32));
    },
  };
}

const idOf = (key: string) => createHash("sha256").update(`ngpu files key ${key}`).digest("hex").slice(0, 8);

function keyMissing(keyId: string): FatalError {
  return new FatalError(`SECRET_KEYS lacks the key ${keyId}, by which files are encrypted.`, {
    code: "file_key_missing",
    hint: "Append the earlier keys to SECRET_KEYS, until the files of their time have expired.",
    details: { keyId },
  });
}
