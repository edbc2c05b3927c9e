// Memory and call data byte by byte: each byte is known, or a byte of a word.
import { type Hex, keccak256 } from "viem";
import { bitOr, constant, hashOf, isConstant, low, shl, shr, type Term, zero } from "./words.ts";

/** A known byte, or the byte at `index` of a word, 0 being the highest. */
type Byte = number | { word: Term; index: number };
export type Bytes = Map<number, Byte>;

export function bytesOf(hex: string): Bytes {
  const bytes: Bytes = new Map();
  for (let at = 0; at * 2 < hex.length; at += 1)
    bytes.set(at, Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16));
  return bytes;
}

export function writeWord(bytes: Bytes, at: number, word: Term): void {
  for (let index = 0; index < 32; index += 1) bytes.set(at + index, byteOf(word, index));
}

export function byteOf(word: Term, index: number): Byte {
  if (isConstant(word)) return Number((word.value >> BigInt(8 * (31 - index))) & 0xffn);
  return { word, index };
}

/** The word over `length` bytes from `at` on, as a number. */
function numberAt(bytes: Bytes, at: number, length: number): Term {
  let sum: Term = zero;
  let index = 0;
  while (index < length) {
    const first = bytes.get(at + index) ?? 0;
    let end = index + 1;
    if (typeof first === "number") {
      sum = bitOr(sum, shl(constant(BigInt(first)), BigInt(8 * (length - end))));
    } else {
      for (; end < length; end += 1) {
        const next = bytes.get(at + end) ?? 0;
        if (typeof next === "number" || next.word !== first.word || next.index !== first.index + end - index)
          break;
      }
      const last = first.index + end - index - 1;
      const part = low(shr(first.word, BigInt(8 * (31 - last))), BigInt(8 * (end - index)));
      sum = bitOr(sum, shl(part, BigInt(8 * (length - end))));
    }
    index = end;
  }
  return sum;
}

export const readWord = (bytes: Bytes, at: number) => numberAt(bytes, at, 32);

export function slice(bytes: Bytes, from: number, length: number): Bytes {
  const part: Bytes = new Map();
  for (let index = 0; index < length; index += 1) {
    const byte = bytes.get(from + index);
    if (byte !== undefined) part.set(index, byte);
  }
  return part;
}

export function copyInto(target: Bytes, at: number, source: Bytes, from: number, length: number): void {
  for (let index = 0; index < length; index += 1) target.set(at + index, source.get(from + index) ?? 0);
}

/** The hash of known bytes, or an unknown that is the same for the same words. */
export function keccakOf(bytes: Bytes, from: number, length: number): Term {
  let hex = "";
  const parts: string[] = [];
  for (let index = 0; index < length; index += 1) {
    const byte = bytes.get(from + index) ?? 0;
    if (typeof byte === "number") hex += byte.toString(16).padStart(2, "0");
    parts.push(typeof byte === "number" ? String(byte) : `t${byte.word.id}:${byte.index}`);
  }
  if (hex.length === 2 * length) return constant(BigInt(keccak256(`0x${hex}` as Hex)));
  return hashOf(`keccak256(${parts.join(",")})`);
}
