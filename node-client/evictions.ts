import type { Prefetched } from "./journal/prefetched.ts";

/**
 * The images to evict for an image of `sizeBytes`. Pure.
 *
 * @param entries Prefetched images, least recently used first.
 * @returns References, or undefined when evictions do not free enough.
 */
export function decideEvictions(
  entries: readonly Prefetched[],
  facts: { sizeBytes: number; inUse: ReadonlySet<string>; limitBytes: number },
): string[] | undefined {
  let taken = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const evicted: string[] = [];
  for (const { reference, sizeBytes } of entries) {
    if (taken + facts.sizeBytes <= facts.limitBytes) break;
    if (facts.inUse.has(reference)) continue;
    evicted.push(reference);
    taken -= sizeBytes;
  }
  return taken + facts.sizeBytes <= facts.limitBytes ? evicted : undefined;
}
