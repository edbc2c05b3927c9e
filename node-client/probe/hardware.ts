import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import type { NodeEnv } from "../env.ts";
import { type Gpu, offeredGpus, probeGpus } from "./gpus.ts";

/** The hardware that this machine offers. */
export type Hardware = {
  gpus: Gpu[];
  cpuMilli: number;
  memoryMib: number;
  diskGib: number;
  ports: number;
};

type Limits = Pick<
  NodeEnv,
  | "NODE_LIMIT_GPUS"
  | "NODE_LIMIT_CPU_MILLI"
  | "NODE_LIMIT_MEMORY_MIB"
  | "NODE_LIMIT_DISK_GIB"
  | "NODE_LIMIT_PORTS"
>;

/** Reserved for the system, the engine and this client. */
const systemMemoryMib = 512;
const systemDiskGib = 2;

/**
 * Probes the machine's hardware and applies the limits.
 *
 * @param dataDir Directory of the Docker engine's data.
 * @throws FatalError `gpu_probe_failed`.
 */
export async function probeHardware(dataDir: string, limits: Limits): Promise<Hardware> {
  const gpus = limits.NODE_LIMIT_GPUS === 0 ? [] : await probeGpus();
  return {
    gpus: offeredGpus(gpus, limits.NODE_LIMIT_GPUS),
    cpuMilli: Math.min(availableParallelism() * 1000, limits.NODE_LIMIT_CPU_MILLI ?? 2 ** 24 - 1),
    memoryMib: Math.min(
      Math.max(0, Math.floor(totalmem() / 2 ** 20) - systemMemoryMib),
      limits.NODE_LIMIT_MEMORY_MIB ?? 2 ** 24 - 1,
    ),
    diskGib: Math.min(
      Math.max(0, Math.floor(await freeDiskGib(dataDir)) - systemDiskGib),
      limits.NODE_LIMIT_DISK_GIB ?? 65_535,
    ),
    ports: limits.NODE_LIMIT_PORTS,
  };
}

/** Free disk in GiB at a directory, for an unprivileged user. */
export async function freeDiskGib(dir: string): Promise<number> {
  const volume = await statfs(dir);
  return (volume.bavail * volume.bsize) / 2 ** 30;
}
