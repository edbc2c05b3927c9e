import { type Hex, numberToHex, parseSignature, toHex } from "viem";
import { zeroHash } from "./reverts.ts";

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

// Half the order and one: the least s that is refused, whatever it signs.
const high = "0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";

/** Invalid variants of a signature that is sent as `r` and `vs`. */
export function othersThan({ r, vs }: { r: Hex; vs: Hex }): { r: Hex; vs: Hex }[] {
  return [
    { r: zeroHash, vs: zeroHash },
    { r, vs: high },
    { r, vs: numberToHex(BigInt(vs) ^ (1n << 255n), { size: 32 }) },
    { r: vs, vs: r },
    { r: `0x${"ff".repeat(32)}`, vs },
  ];
}
