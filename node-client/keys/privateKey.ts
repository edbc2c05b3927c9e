import type { Hex } from "viem";

/** Whether a text is a private key in hexadecimal. */
export const isPrivateKey = (text: string): text is Hex => /^0x[0-9a-fA-F]{64}$/.test(text);

/** The address that a version 3 keystore states; undefined if the text is none. The statement is not checked. */
export function statedAddress(text: string): Hex | undefined {
  try {
    const { address, version, crypto, Crypto } = JSON.parse(text);
    const stated = `0x${String(address).replace(/^0x/, "").toLowerCase()}`;
    const isKeystore = Number(version) === 3 && typeof (crypto ?? Crypto) === "object";
    return isKeystore && /^0x[0-9a-f]{40}$/.test(stated) ? (stated as Hex) : undefined;
  } catch {
    return undefined;
  }
}
