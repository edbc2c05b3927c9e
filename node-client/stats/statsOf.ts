import type { ReplicaStats } from "@ngpu/protocol/replicaStats";
import type Docker from "dockerode";

type Reading = Partial<Docker.ContainerStats>;
type Gpus = ReplicaStats["gpus"];

const nanosecondsPerSecond = 1_000_000_000;

/** Translates what the engine says of a container. What it does not say is 0: a container without a network has no bytes of one. */
export function statsOf(reading: Reading, limits: { nanoCpus: number }, gpus: Gpus): ReplicaStats {
  const { cpu_stats: cpu, memory_stats: memory, blkio_stats: disk, networks, pids_stats: pids } = reading;
  const throttled = cpu?.throttling_data?.throttled_time ?? 0;
  const network = Object.values(networks ?? {});
  return {
    time: new Date(Date.parse(String(reading.read)) || Date.now()).toISOString(),
    cpu: {
      cores: coresOf(reading),
      limit: limits.nanoCpus > 0 ? limits.nanoCpus / nanosecondsPerSecond : null,
      throttledSeconds: throttled / nanosecondsPerSecond,
    },
    memory: { bytes: memoryOf(memory), limitBytes: memory?.limit ?? 0 },
    processes: pids?.current ?? 0,
    disk: { readBytes: ioOf(disk, "read"), writtenBytes: ioOf(disk, "write") },
    network: {
      receivedBytes: sum(network.map(({ rx_bytes }) => rx_bytes)),
      sentBytes: sum(network.map(({ tx_bytes }) => tx_bytes)),
    },
    gpus,
  };
}

/** The CPU time between two readings of the engine, by the time between them. */
function coresOf({ cpu_stats: now, precpu_stats: before, read, preread }: Reading): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const milliseconds = Date.parse(String(read)) - Date.parse(String(preread));
  if (!(milliseconds > 0) || used < 0 || before?.cpu_usage?.total_usage === undefined) return 0;
  return Math.round((used / nanosecondsPerSecond / (milliseconds / 1_000)) * 1_000) / 1_000;
}

/** As `docker stats`: without the files that the kernel may drop from memory. */
function memoryOf(memory: Reading["memory_stats"]): number {
  const { usage = 0, stats } = memory ?? {};
  const { inactive_file: second, total_inactive_file: first } = (stats ?? {}) as Record<string, number>;
  return Math.max(0, usage - (first ?? second ?? 0));
}

function ioOf(disk: Reading["blkio_stats"], kind: string): number {
  const entries = disk?.io_service_bytes_recursive ?? [];
  return sum(entries.filter(({ op }) => op.toLowerCase() === kind).map(({ value }) => value));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
