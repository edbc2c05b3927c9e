/** Layers lie on the disk unpacked, and for a while packed as well. */
const unpackedFactor = 3;

/** GiB of disk to be left free beside an image. */
export const marginGib = 1;

/** What an image takes of the disk, in bytes. @param packed Its compressed size in bytes, as the chain tells it */
export function unpackedBytes(packed: bigint | string): number {
  return Number(packed) * unpackedFactor;
}
