import { join } from "node:path";

/** Where a machine's key is. */
export type KeyPlace = {
  /** The client's directory; the key is its `<name>.key`. */
  dir: string;
  name: "node" | "measurer";
  /** File of the passphrase. Default: the systemd credential `passphrase`, else `<name>.passphrase` beside the key. */
  passphraseFile?: string | undefined;
};

export const keyPath = ({ dir, name }: KeyPlace) => join(dir, `${name}.key`);
