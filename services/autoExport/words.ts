/** Reads the value whose 64 hexadecimal digits, in lower case, begin at a place, as text that Postgres takes. */
export type WordReader = (hex: string, at: number) => string;

// A JavaScript number holds 13 digits exactly; most values are smaller.
const exactDigits = 13;
const leadingZeros = "0".repeat(64 - exactDigits);

export const readUnsigned: WordReader = (hex, at) => {
  if (!hex.startsWith(leadingZeros, at)) return String(BigInt(`0x${hex.slice(at, at + 64)}`));
  return String(whole(Number(`0x${hex.slice(at + 64 - exactDigits, at + 64)}`)));
};

export const readSigned: WordReader = (hex, at) => {
  return String(BigInt.asIntN(256, BigInt(`0x${hex.slice(at, at + 64)}`)));
};

export const readBoolean: WordReader = (hex, at) => {
  const value = readUnsigned(hex, at);
  if (value !== "0" && value !== "1") throw new RangeError(`${value} is neither true nor false.`);
  return value === "1" ? "t" : "f";
};

export const readAddress: WordReader = (hex, at) => `0x${hex.slice(at + 24, at + 64)}`;

/** @param size In bytes, which stand at the beginning of the word. */
export function readBytes(size: number): WordReader {
  return (hex, at) => `0x${hex.slice(at, at + 2 * size)}`;
}

function whole(value: number): number {
  if (Number.isNaN(value)) throw new RangeError("not hexadecimal");
  return value;
}
