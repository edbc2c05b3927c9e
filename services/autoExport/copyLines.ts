/** Rows of one table in COPY's text format, appended to a buffer that grows. */
export type Lines = { bytes: Buffer; end: number; count: number };

const firstSize = 4_096;

export function createLines(): Lines {
  return { bytes: Buffer.allocUnsafe(firstSize), end: 0, count: 0 };
}

/** Grows the buffer, if needed, to hold `more` further bytes. */
export function reserve(lines: Lines, more: number): void {
  const needed = lines.end + more;
  if (needed <= lines.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, 2 * lines.bytes.length));
  lines.bytes.copy(larger, 0, 0, lines.end);
  lines.bytes = larger;
}

/** Adds text in which every character is one byte. The space must be reserved. */
export function addAscii(lines: Lines, text: string): void {
  lines.end += lines.bytes.write(text, lines.end, "latin1");
}

/** Adds any text, and reserves the space for it. */
export function addText(lines: Lines, text: string): void {
  // No character of a string takes more than three bytes.
  reserve(lines, 3 * text.length);
  lines.end += lines.bytes.write(text, lines.end, "utf8");
}

export function bytesOf({ bytes, end }: Lines): Buffer {
  return bytes.subarray(0, end);
}
