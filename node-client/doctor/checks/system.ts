import { statfsSync } from "node:fs";
import { availableParallelism, platform, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Check } from "../check.ts";
import { found, type Problem } from "../problems.ts";
import type { World } from "../world.ts";

const mib = 2 ** 20;

/** The operating system, the clock, memory, CPUs and disks. */
export const systemChecks: Record<string, Check> = {
  "operating system": () =>
    platform() === "linux" ? [] : [found("os_unsupported", `This is ${platform()}.`)],
  "node's disk": ({ env }) =>
    diskProblems(existing(env.NODE_DIR), { full: "node_disk_full", inodes: "node_inodes_used" }, 100),
  memory: (world) => memoryProblems(world),
  load: (world) => loadProblems(world),
  "open files": (world) => fileLimitProblems(world),
};

/** The closest directory that exists. */
export function existing(dir: string): string {
  for (let path = dir; ; path = dirname(path)) {
    try {
      statfsSync(path);
      return path;
    } catch (error) {
      if (path === dirname(path)) throw error;
    }
  }
}

/** Problems of the disk that has a directory. @param leastMib Free space below which it counts as full. */
export function diskProblems(
  dir: string,
  codes: { full: "node_disk_full" | "engine_disk_full"; inodes: "node_inodes_used" | "engine_inodes_used" },
  leastMib: number,
): Problem[] {
  const { bavail, bsize, files, ffree } = statfsSync(dir);
  const free = Math.floor((bavail * bsize) / mib);
  const problems: Problem[] = [];
  if (free < leastMib)
    problems.push(found(codes.full, `${dir} has ${free} MiB free; ${leastMib} MiB are required.`, { dir }));
  // Some file systems have no fixed number of inodes.
  if (files > 0 && ffree < files / 100) {
    problems.push(found(codes.inodes, `${dir} has ${ffree} of ${files} inodes free.`, { dir }));
  }
  return problems;
}

function memoryProblems({ file }: World): Problem[] {
  const available = /^MemAvailable:\s*(\d+) kB/m.exec(file("proc/meminfo") ?? "")?.[1];
  if (available === undefined) return [];
  const free = Math.floor(Number(available) / 1024);
  const total = Math.floor(totalmem() / mib);
  return free < 512 ? [found("memory_low", `${free} of ${total} MiB are available.`)] : [];
}

function loadProblems({ file }: World): Problem[] {
  const load = Number((file("proc/loadavg") ?? "").split(" ")[2]);
  const cpus = availableParallelism();
  if (!(load > 4 * cpus)) return [];
  return [found("load_high", `The load of the last 15 minutes is ${load} on ${cpus} CPUs.`, {}, "likely")];
}

function fileLimitProblems({ file }: World): Problem[] {
  const limit = /^Max open files\s+(\d+)/m.exec(file("proc/self/limits") ?? "")?.[1];
  if (limit === undefined || Number(limit) >= 1_024) return [];
  return [found("file_limit_low", `A process of this user may open ${limit} files.`)];
}
