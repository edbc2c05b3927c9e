/** Words of 64 hexadecimal digits, each beginning at a multiple of four: as bytes, and four of those at once. */
export type Words = { bytes: Buffer; quads: Uint32Array };

/** Writes the value of the word that begins at `at` as text that Postgres takes, from `end` on; gives where that ends. */
export type WordWriter = (words: Words, at: number, to: Buffer, end: number) => number;

/** No value of a word is longer as text, the sign of a number included. */
export const longestValue = 80;

// A JavaScript number holds 13 digits exactly; most values are smaller.
const leading = 64 - 13;
const zero = 0x30;
const fourZeros = 0x30303030;
// What stands for no digit has a bit that no digit has.
const noDigit = 16;
const digits = new Uint8Array(256).fill(noDigit);
for (let value = 0; value < 16; value++) {
  digits[value.toString(16).charCodeAt(0)] = value;
  digits[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

export const writeUnsigned: WordWriter = (words, at, to, end) => {
  const value = smallNumber(words, at);
  return value === undefined
    ? writeAscii(String(bigNumber(words, at)), to, end)
    : writeNumber(value, to, end);
};

export const writeSigned: WordWriter = (words, at, to, end) =>
  writeAscii(String(BigInt.asIntN(256, bigNumber(words, at))), to, end);

export const writeBoolean: WordWriter = (words, at, to, end) => {
  const value = smallNumber(words, at);
  if (value !== 0 && value !== 1) throw new RangeError("A truth value is neither 0 nor 1.");
  return writeAscii(value === 1 ? "t" : "f", to, end);
};

export const writeAddress: WordWriter = (words, at, to, end) => writeHex(words, at + 24, 40, to, end);

/** @param size In bytes, which stand at the beginning of the word. */
export function writeBytes(size: number): WordWriter {
  return (words, at, to, end) => writeHex(words, at, 2 * size, to, end);
}

/** @param nameOf The name of an enum's value. */
export function writeName(nameOf: (value: number) => string): WordWriter {
  return (words, at, to, end) => writeAscii(nameOf(smallNumber(words, at) ?? Number.NaN), to, end);
}

/** A whole number that is not negative, in decimal digits. */
export function writeNumber(value: number, to: Buffer, end: number): number {
  if (value > 0x7fffffff) return writeAscii(String(value), to, end);
  let size = 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) size += 1;
  for (let place = end + size - 1, rest = value; place >= end; place--) {
    const next = (rest / 10) | 0;
    to[place] = zero + rest - 10 * next;
    rest = next;
  }
  return end + size;
}

/** The value of a word, undefined when it has more digits than a JavaScript number. */
function smallNumber({ bytes, quads }: Words, at: number): number | undefined {
  let place = at;
  for (; place < at + leading - 3; place += 4) if (quads[place >> 2] !== fourZeros) return undefined;
  for (; place < at + leading; place++) if (bytes[place] !== zero) return undefined;
  let value = 0;
  let seen = 0;
  for (; place < at + 64; place++) {
    const digit = digits[bytes[place] as number] as number;
    seen |= digit;
    value = value * 16 + digit;
  }
  if (seen >= noDigit) throw new RangeError("not hexadecimal");
  return value;
}

function bigNumber({ bytes }: Words, at: number): bigint {
  return BigInt(`0x${bytes.toString("latin1", at, at + 64)}`);
}

function writeHex({ bytes }: Words, from: number, count: number, to: Buffer, end: number): number {
  to[end] = zero;
  to[end + 1] = 0x78;
  let place = end + 2;
  // The bit makes capitals small and leaves all other digits alone.
  for (let next = from; next < from + count; next++) to[place++] = (bytes[next] as number) | 0x20;
  return place;
}

function writeAscii(text: string, to: Buffer, end: number): number {
  for (let place = 0; place < text.length; place++) to[end + place] = text.charCodeAt(place);
  return end + text.length;
}
