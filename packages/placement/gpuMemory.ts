/**
 * Sizes by which graphics cards are sold, GB. A card reports less than its size: the driver keeps some memory, and error
 * correction takes up to a sixteenth.
 */
const soldSizes = [
  1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 22, 24, 32, 40, 44, 48, 64, 72, 80, 94, 96, 128, 141, 144, 180,
  192, 256, 288,
];

/** Smallest share of its size that a real card reports: a T4 has 15,079 of 16,384 MiB under old drivers. */
const leastShare = 0.92;

/**
 * The least memory in MiB, as drivers report it, of a card sold with `gib` GB or more. It increases with `gib`. A card
 * sold with less never has it, even if it reports its whole size.
 */
export function minVramMibOf(gib: number): number {
  if (gib <= 0) return 0;
  const smaller = soldSizes.findLast((size) => size < gib) ?? 0;
  return Math.max(Math.ceil(gib * 1024 * leastShare), smaller * 1024 + 1);
}

/** The size, one that cards are sold with if possible, that requires at least `mib`; null when no size requires exactly that. */
export function sizeOfRequirement(mib: number): number | null {
  const sold = soldSizes.find((size) => minVramMibOf(size) === mib);
  if (sold !== undefined) return sold;
  const from = Math.max(1, Math.floor(mib / 1024));
  const to = Math.ceil(mib / 1024 / leastShare) + 1;
  for (let size = from; size <= to; size += 1) if (minVramMibOf(size) === mib) return size;
  return null;
}
