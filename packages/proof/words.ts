import { type Hex, hexToBytes } from "viem";

/** 32-bit words of bytes, little-endian. */
export function wordsOf(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(4 * index, true));
}

/** The bytes of 32-bit words, little-endian. */
export function bytesOf(words: Int32Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setInt32(4 * index, word | 0, true);
  });
  return bytes;
}

/** A seed as eight words: its bytes in their order, little-endian. */
export function keyOf(seed: Hex): Int32Array {
  return wordsOf(hexToBytes(seed, { size: 32 }));
}
