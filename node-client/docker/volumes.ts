import { posix } from "node:path";
import type Docker from "dockerode";

/** Most volumes of an image: each is a mount of the container. */
export const maxVolumes = 32;

/** Least space for the volumes of a lease, in MiB. */
const leastMib = 16;

/** The disk and memory that the volumes of a lease may use. */
export type VolumeLimits = { diskGib: number; memoryMib: number };

/** The paths of an image's volumes as the engine mounts them, each once. `/tmp` has a mount of its own. */
export function volumePaths(declared: readonly string[]): string[] {
  const paths = declared
    .filter((path) => path.startsWith("/"))
    .map((path) => posix.normalize(path).replace(/(.)\/$/, "$1"));
  return [...new Set(paths)].filter((path) => path !== "/" && path !== "/tmp");
}

/**
 * Anonymous volumes, which share the disk of the lease. The engine removes them with the container. Only storage with project
 * quotas (XFS with `pquota`) has such volumes; the engine refuses them elsewhere.
 */
export function quotaVolumes(paths: readonly string[], limits: VolumeLimits): Docker.HostConfig {
  const size = `${shareOf(limits.diskGib * 1024, paths)}m`;
  return {
    Mounts: paths.map((path) => ({
      Type: "volume",
      Target: path,
      Source: "",
      VolumeOptions: { NoCopy: false, Labels: {}, DriverConfig: { Name: "local", Options: { size } } },
    })),
  };
}

/**
 * The same paths in the memory of the lease: at most its disk, and together at most a quarter of its
 * memory: `/tmp` and `/dev/shm` may use the rest.
 */
export function memoryVolumes(paths: readonly string[], limits: VolumeLimits): Record<string, string> {
  const size = shareOf(Math.min(limits.diskGib * 1024, Math.floor(limits.memoryMib / 4)), paths);
  return Object.fromEntries(paths.map((path) => [path, `rw,nosuid,nodev,exec,mode=1777,size=${size}m`]));
}

/** The part of each volume in MiB. Never 0, which the engine reads as no limit. */
function shareOf(mib: number, paths: readonly string[]): number {
  return Math.max(1, Math.floor(Math.max(leastMib, mib) / Math.max(1, paths.length)));
}
