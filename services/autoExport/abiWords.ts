/**
 * ABI words as 64 hexadecimal digits, each word at an offset that is a multiple of four. `quads` is the same memory, four
 * digits to an element.
 */
export type Words = { bytes: Buffer; quads: Uint32Array };

/** Writes the value of the word at offset `at` as Postgres text to `to` at offset `end`. Returns the offset after the text. */
export type WordWriter = (words: Words, at: number, to: Buffer, end: number) => number;

/** Maximum length of a word's value as text, sign included. */
export const longestValue = 80;

// A JavaScript number holds 13 digits exactly; most values are smaller.
const leadingZeros = 64 - 13;
const zero = 0x30;
const fourZeros = 0x30303030;
// A bit that is not set in any digit's value.
const invalidDigit = 16;
const digits = new Uint8Array(256).fill(invalidDigit);
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
  if (value !== 0 && value !== 1) throw new RangeError("A boolean is neither 0 nor 1.");
  return writeAscii(value === 1 ? "t" : "f", to, end);
};

export const writeAddress: WordWriter = (words, at, to, end) => writeHex(words, at + 24, 40, to, end);

/** @param size Number of bytes; they are at the start of the word. */
export function writeBytes(size: number): WordWriter {
  return (words, at, to, end) => writeHex(words, at, 2 * size, to, end);
}

/** @param nameOf Returns the name of an enum value; throws for a value without a name. */
export function writeName(nameOf: (value: number) => string): WordWriter {
  return (words, at, to, end) => writeAscii(nameOf(smallNumber(words, at) ?? Number.NaN), to, end);
}

/** Writes a non-negative integer in decimal digits. Returns the offset after them. */
export function writeNumber(value: number, to: Buffer, end: number): number {
  if (value > 0x7fffffff) return writeAscii(String(value), to, end);
  let size = 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) size += 1;
  for (let position = end + size - 1, rest = value; position >= end; position--) {
    const next = (rest / 10) | 0;
    to[position] = zero + rest - 10 * next;
    rest = next;
  }
  return end + size;
}

/** The value of a word; undefined when it has more than 13 significant digits. */
function smallNumber({ bytes, quads }: Words, at: number): number | undefined {
  let position = at;
  for (; position < at + leadingZeros - 3; position += 4)
    if (quads[position >> 2] !== fourZeros) return undefined;
  for (; position < at + leadingZeros; position++) if (bytes[position] !== zero) return undefined;
  let value = 0;
  let seen = 0;
  for (; position < at + 64; position++) {
    const digit = digits[bytes[position] as number] as number;
    seen |= digit;
    value = value * 16 + digit;
  }
  if (seen >= invalidDigit) throw new RangeError("not hexadecimal");
  return value;
}

function bigNumber({ bytes }: Words, at: number): bigint {
  return BigInt(`0x${bytes.toString("latin1", at, at + 64)}`);
}

function writeHex({ bytes }: Words, from: number, count: number, to: Buffer, end: number): number {
  to[end] = zero;
  to[end + 1] = 0x78;
  let position = end + 2;
  // The bit turns upper case into lower case and does not change decimal digits.
  for (let next = from; next < from + count; next++) to[position++] = (bytes[next] as number) | 0x20;
  return position;
}

function writeAscii(text: string, to: Buffer, end: number): number {
  for (let position = 0; position < text.length; position++) to[end + position] = text.charCodeAt(position);
  return end + text.length;
}
