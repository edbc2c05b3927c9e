import type { Capacity } from "./fleet.ts";

/** What a measurement found of a node's capacity; `block` is before anybody looked, so that no lease is forgotten. */
export type Found = { diskGib: number; ports: number; block: bigint };

/** A lease that a node holds, as far as its disk goes. */
type Held = { diskGib: number; assignedBlock: bigint };

/**
 * What of a node's capacity counts: what its spec says, but no more disk than its valid measurement found free, less what
 * leases took since, and no port when the measurement reached none. A node that nobody has measured is taken at its word.
 */
export function counted(
  spec: { total: Capacity; free: Capacity },
  found: Found | undefined,
  held: readonly Held[],
): { total: Capacity; free: Capacity } {
  if (found === undefined) return spec;
  const { total, free } = spec;
  const isSince = ({ assignedBlock }: Held) => assignedBlock > found.block;
  const since = sumOf(held.filter(isSince));
  const before = sumOf(held.filter((lease) => !isSince(lease)));
  const withFound = (capacity: Capacity, diskGib: number): Capacity => ({
    ...capacity,
    diskGib: Math.max(0, Math.min(capacity.diskGib, diskGib)),
    ports: found.ports === 0 ? 0 : capacity.ports,
  });
  return {
    total: withFound(total, found.diskGib + before),
    free: withFound(free, found.diskGib - since),
  };
}

function sumOf(leases: readonly Held[]): number {
  return leases.reduce((sum, { diskGib }) => sum + diskGib, 0);
}
