import { readdirSync } from "node:fs";
import { join } from "node:path";
import { none, type SickGpu } from "../../probe/gpu.ts";
import { probeGpus } from "../../probe/gpus.ts";
import type { Check } from "../check.ts";
import { found, type Problem } from "../problems.ts";
import type { World } from "../world.ts";

/** GPUs, their driver, and whether containers get them. */
export const gpuChecks: Record<string, Check> = {
  "GPU driver": (world) => driverProblems(world),
  GPUs: (world) => cardProblems(world),
  "NVIDIA Container Toolkit": (world) => toolkitProblems(world),
  "GPU temperature": (world) => heatProblems(world),
  "GPU use by others": (world) => usageProblems(world),
  "GPU errors in the kernel's log": (world) => xidProblems(world),
};

const offersGpus = ({ env }: World) => env.NODE_LIMIT_GPUS !== 0;
const csv = "--format=csv,noheader,nounits";

/** Rows of a query of nvidia-smi. Empty: there is no driver, or it fails, which other checks report. */
async function query(world: World, fields: string, kind = "gpu"): Promise<string[][]> {
  if (!offersGpus(world)) return [];
  const output = await world.tool("nvidia-smi", [`--query-${kind}=${fields}`, csv]);
  if (output === undefined || output.failure !== undefined) return [];
  const width = fields.split(",").length;
  const rows = output.stdout.split("\n").map((line) => line.split(",").map((cell) => cell.trim()));
  return rows.filter((row) => row.length === width);
}

async function driverProblems(world: World): Promise<Problem[]> {
  if (!offersGpus(world)) return [];
  const device = nvidiaDevice(world);
  const output = await world.tool("nvidia-smi", ["-L"]);
  if (output === undefined) {
    if (device === undefined) return [];
    const evidence = `The PCI device ${device} is an NVIDIA GPU; nvidia-smi is not on PATH.`;
    return hasModule(world, "nouveau")
      ? [found("gpu_nouveau_loaded", `${evidence} The module nouveau is loaded.`)]
      : [found("gpu_driver_missing", evidence)];
  }
  const printed = `${output.stdout}\n${output.stderr}`;
  const line = printed.split("\n").find((text) => text.trim() !== "") ?? "";
  if (/Driver\/library version mismatch/i.test(printed))
    return [found("gpu_driver_mismatch", `nvidia-smi: ${line}`)];
  if (/couldn't communicate with the NVIDIA driver/i.test(printed)) {
    const code = hasModule(world, "nouveau") ? "gpu_nouveau_loaded" : "gpu_driver_not_loaded";
    return [found(code, `nvidia-smi: ${line}`)];
  }
  return [];
}

/** The PCI address of an NVIDIA display device. */
function nvidiaDevice({ root, file }: World): string | undefined {
  const dir = "sys/bus/pci/devices";
  try {
    return readdirSync(join(root, dir)).find(
      (device) =>
        file(`${dir}/${device}/vendor`)?.trim() === "0x10de" &&
        file(`${dir}/${device}/class`)?.startsWith("0x03"),
    );
  } catch {
    return undefined;
  }
}

function hasModule({ file }: World, name: string): boolean {
  return new RegExp(`^${name} `, "m").test(file("proc/modules") ?? "");
}

/** Sick cards, each with the reason that the node reports. The check of the driver names a failure of all. */
async function cardProblems(world: World): Promise<Problem[]> {
  const { sick } = offersGpus(world) ? await probeGpus(0) : none;
  const driver = await driverProblems(world);
  return sick
    .filter(({ code }) => code !== "gpu_driver_failed" || driver.length === 0)
    .map(({ code, id, name, detail }: SickGpu) => found(code, `${name ?? id}: ${detail}`, { gpu: id }));
}

async function toolkitProblems(world: World): Promise<Problem[]> {
  const cards = await query(world, "uuid");
  if (cards.length === 0) return [];
  const engine = await world.engine();
  if ("failure" in engine || Object.hasOwn(engine.info.Runtimes ?? {}, "nvidia")) return [];
  const seen = `docker info lists the runtimes ${Object.keys(engine.info.Runtimes ?? {}).join(", ") || "none"}`;
  const toolkit = await world.tool("nvidia-ctk", ["--version"]);
  return toolkit === undefined
    ? [found("toolkit_missing", `${seen}; nvidia-ctk is not on PATH.`)]
    : [found("toolkit_unconfigured", `${seen}.`)];
}

async function heatProblems(world: World): Promise<Problem[]> {
  const rows = await query(world, "uuid,temperature.gpu,clocks_throttle_reasons.hw_thermal_slowdown");
  return rows
    .filter(([, , slowed]) => slowed === "Active")
    .map(([gpu = "", celsius]) =>
      found("gpu_hot", `${gpu}: ${celsius} °C, thermal slowdown is active.`, { gpu }),
    );
}

/** Processes that the engine did not start: they take memory that a lease is promised. */
async function usageProblems(world: World): Promise<Problem[]> {
  const rows = await query(world, "pid,gpu_uuid,used_memory", "compute-apps");
  const others = rows.filter(([pid = ""]) => {
    const group = world.file(`proc/${pid}/cgroup`);
    return group !== undefined && !/docker|libpod|containerd/.test(group);
  });
  return [...Map.groupBy(others, ([, gpu = ""]) => gpu)].map(([gpu, users]) => {
    const pids = users.map(([pid]) => pid).join(" ");
    const mib = users.reduce((sum, [, , used]) => sum + (Number(used) || 0), 0);
    return found("gpu_in_use", `${gpu}: processes ${pids} use ${mib} MiB.`, { pids }, "likely");
  });
}

async function xidProblems(world: World): Promise<Problem[]> {
  if (!offersGpus(world)) return [];
  const log = await world.tool("dmesg", ["--level=err,warn,notice,info"]);
  const lines = (log?.stdout ?? "").split("\n").filter((line) => /NVRM: Xid/.test(line));
  const last = lines.at(-1);
  if (last === undefined) return [];
  return [
    found(
      "gpu_xid",
      `${lines.length} in the kernel's log, the last: ${last.trim().slice(0, 200)}`,
      {},
      "likely",
    ),
  ];
}
