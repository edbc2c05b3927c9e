import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import type { NodeEnv } from "../env.ts";
import { none, type SickGpu } from "./gpu.ts";
import { type Gpu, offeredGpus, probeGpus } from "./gpus.ts";

/** The hardware that this machine offers. */
export type Hardware = {
  gpus: Gpu[];
  /** Cards that are not offered, each with the reason. */
  sickGpus: SickGpu[];
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
 */
export async function probeHardware(dataDir: string, limits: Limits): Promise<Hardware> {
  const memoryMib = offeredMemory(limits);
  const { gpus, sick } = limits.NODE_LIMIT_GPUS === 0 ? none : await probeGpus(memoryMib);
  return {
    gpus: offeredGpus(gpus, limits.NODE_LIMIT_GPUS),
    sickGpus: sick,
    cpuMilli: Math.min(availableParallelism() * 1000, limits.NODE_LIMIT_CPU_MILLI ?? 2 ** 24 - 1),
    memoryMib,
    diskGib: Math.min(
      Math.max(0, Math.floor(await freeDiskGib(dataDir)) - systemDiskGib),
      limits.NODE_LIMIT_DISK_GIB ?? 65_535,
    ),
    ports: limits.NODE_LIMIT_PORTS,
  };
}

/** The GPUs that the machine offers, the sick ones, and the UUIDs of all healthy ones. */
export type GpuReading = Pick<Hardware, "gpus" | "sickGpus"> & { healthy: string[] };

/** Reads the GPUs again. */
export async function readGpusAgain(limits: Limits): Promise<GpuReading> {
  const { gpus, sick } = limits.NODE_LIMIT_GPUS === 0 ? none : await probeGpus(offeredMemory(limits));
  return {
    gpus: offeredGpus(gpus, limits.NODE_LIMIT_GPUS),
    sickGpus: sick,
    healthy: gpus.map((gpu) => gpu.uuid),
  };
}

function offeredMemory(limits: Limits): number {
  const most = limits.NODE_LIMIT_MEMORY_MIB ?? 2 ** 24 - 1;
  return Math.min(Math.max(0, Math.floor(totalmem() / 2 ** 20) - systemMemoryMib), most);
}

/** Free disk in GiB at a directory, for an unprivileged user. */
export async function freeDiskGib(dir: string): Promise<number> {
  const volume = await statfs(dir);
  return (volume.bavail * volume.bsize) / 2 ** 30;
}
