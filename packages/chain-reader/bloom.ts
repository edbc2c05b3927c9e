import { type Hex, hexToBytes, keccak256 } from "viem";

/** The three bits, of 2048, that represent a value in a header's logsBloom. `byte` counts from the start. */
export type BloomBits = readonly { byte: number; mask: number }[];

/** The bits of an address or topic. */
export function bloomBits(value: Hex): BloomBits {
  const hash = hexToBytes(keccak256(value));
  return [0, 2, 4].map((at) => {
    const bit = (((hash[at] ?? 0) << 8) | (hash[at + 1] ?? 0)) & 2047;
    return { byte: 255 - (bit >> 3), mask: 1 << (bit & 7) };
  });
}

/** False: none of the block's logs contains the value. True: one may. */
export function mayContain(bloom: Uint8Array, bits: BloomBits): boolean {
  return bits.every(({ byte, mask }) => ((bloom[byte] ?? 0) & mask) !== 0);
}
