/** Layers are stored unpacked, and compressed as well during a pull. */
const unpackedFactor = 3;

/** GiB of disk that stay free after an image is pulled. */
export const marginGib = 1;

/**
 * Estimated disk usage of an image, in bytes.
 *
 * @param packed Compressed size in bytes, as registered on the chain.
 */
export function unpackedBytes(packed: bigint | string): number {
  return Number(packed) * unpackedFactor;
}
