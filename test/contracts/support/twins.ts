import { type Hex, parseSignature, toHex } from "viem";

/** Order of secp256k1: a signature with s has a twin with order − s, which contracts must refuse. */
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** The malleable twin of a signature given in parts. */
export function twinOf<Parts extends { v: number; s: Hex }>(parts: Parts): Parts {
  return { ...parts, v: parts.v === 27 ? 28 : 27, s: toHex(order - BigInt(parts.s), { size: 32 }) };
}

/** The same of one in 65 bytes. */
export function twinOfSignature(signature: Hex): Hex {
  const { r, s, yParity } = parseSignature(signature);
  const twin = twinOf({ v: 27 + yParity, s });
  return `${r}${twin.s.slice(2)}${twin.v.toString(16)}`;
}
