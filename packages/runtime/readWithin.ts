/**
 * Reads a whole body, up to a number of bytes. A reading that ends early destroys the stream.
 *
 * @param tooLong Makes the error of a longer body. Default: a RangeError.
 * @throws the error of `tooLong`; errors of the stream.
 */
export async function readWithin(
  stream: AsyncIterable<Buffer | string>,
  most: number,
  tooLong: (what: string) => Error = (what) => new RangeError(what),
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > most) throw tooLong(`more than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
