import type { Capacity } from "./fleet.ts";

/**
 * Capacity found by a measurement. `block` precedes the measurement, so every lease that the measurement may not have seen
 * was assigned after it.
 */
export type MeasuredCapacity = { diskGib: number; ports: number; block: bigint };

/** Disk space of a lease on the node. */
type LeaseDisk = { diskGib: number; assignedBlock: bigint };

/** The most of a node's declared hardware that is proven. */
export type HardwareLimit = { gpus: number; vramMib: number; cpuMilli: number; memoryMib: number };

/**
 * A node's hardware as far as waves proved it. What leases already hold beyond that is not free.
 *
 * @param limit undefined: a newcomer, which counts as it declares
 */
export function provenHardware<Spec extends { total: Capacity; free: Capacity; vramMib: number }>(
  spec: Spec,
  limit: HardwareLimit | undefined,
): Spec {
  if (limit === undefined) return spec;
  const total = { ...spec.total };
  const free = { ...spec.free };
  for (const name of ["gpus", "cpuMilli", "memoryMib"] as const) {
    total[name] = Math.min(total[name], limit[name]);
    free[name] = Math.max(0, free[name] - (spec.total[name] - total[name]));
  }
  return { ...spec, total, free, vramMib: Math.min(spec.vramMib, limit.vramMib) };
}

/**
 * The part of a node's capacity that counts. Disk space is limited to the free space that the valid measurement found,
 * less the leases assigned since. Ports count only if the measurement reached one. The declared capacity counts until the
 * first measurement.
 *
 * @param measured the node's valid measurement; undefined: none
 * @param leases the leases on the node
 */
export function provenCapacity(
  spec: { total: Capacity; free: Capacity },
  measured: MeasuredCapacity | undefined,
  leases: readonly LeaseDisk[],
): { total: Capacity; free: Capacity } {
  if (measured === undefined) return spec;
  const { total, free } = spec;
  const isLater = ({ assignedBlock }: LeaseDisk) => assignedBlock > measured.block;
  const later = diskOf(leases.filter(isLater));
  const earlier = diskOf(leases.filter((lease) => !isLater(lease)));
  const limited = (capacity: Capacity, diskGib: number): Capacity => ({
    ...capacity,
    diskGib: Math.max(0, Math.min(capacity.diskGib, diskGib)),
    ports: measured.ports === 0 ? 0 : capacity.ports,
  });
  return {
    total: limited(total, measured.diskGib + earlier),
    free: limited(free, measured.diskGib - later),
  };
}

function diskOf(leases: readonly LeaseDisk[]): number {
  return leases.reduce((sum, { diskGib }) => sum + diskGib, 0);
}
