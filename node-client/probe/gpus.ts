import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { z } from "zod";

const run = promisify(execFile);

/** One GPU as its driver describes it. */
export type Gpu = {
  name: string;
  uuid: string;
  memoryMib: number;
  /** CUDA compute capability times ten. */
  computeCapability: number;
};

const row = z.tuple([
  z.string().min(1),
  z.string().regex(/^GPU-[0-9a-fA-F-]{8,}$/, "is not a GPU's UUID"),
  z.string().regex(/^\d+$/, "is not a number of MiB").transform(Number),
  z
    .string()
    .regex(/^\d{1,2}\.\d$/, "is not a compute capability")
    .transform((text) => Math.round(Number(text) * 10)),
]);
const query = ["--query-gpu=name,uuid,memory.total,compute_cap", "--format=csv,noheader,nounits"];

/**
 * Reads the GPUs of this machine from `nvidia-smi`. There are none when this user cannot find the program.
 *
 * @throws FatalError `gpu_probe_failed` when it fails or its output cannot be parsed.
 */
export async function probeGpus(): Promise<Gpu[]> {
  let text: string;
  try {
    text = (await run("nvidia-smi", query, { timeout: 20_000 })).stdout;
  } catch (error) {
    const failure = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string };
    // EACCES: PATH has a directory that this user may not read.
    if (failure.code === "ENOENT" || failure.code === "EACCES") return [];
    const detail = `${failure.stdout ?? ""}${failure.stderr ?? ""}`.trim().split("\n")[0] || messageOf(error);
    throw probeError(`nvidia-smi failed: ${detail}`, error);
  }
  return parseGpus(text);
}

/** Parses the output of `nvidia-smi`. @throws FatalError `gpu_probe_failed`, quoting the invalid line. */
export function parseGpus(text: string): Gpu[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines[0]?.startsWith("No devices were found")) return [];
  return lines.map((line) => {
    const parsed = row.safeParse(line.split(",").map((cell) => cell.trim()));
    if (!parsed.success) {
      throw probeError(`Cannot parse this line of nvidia-smi: "${line.trim()}"`, parsed.error);
    }
    const [name, uuid, memoryMib, computeCapability] = parsed.data;
    return { name, uuid, memoryMib, computeCapability };
  });
}

/** The GPUs that a node offers: the group of equal GPUs with the most memory in total, up to `limit`. */
export function offeredGpus(gpus: Gpu[], limit = gpus.length): Gpu[] {
  const groups = Map.groupBy(gpus, (gpu) => `${gpu.name}/${gpu.memoryMib}/${gpu.computeCapability}`);
  const memory = (group: Gpu[]) => group.reduce((sum, gpu) => sum + gpu.memoryMib, 0);
  const [largest = []] = [...groups.values()].sort((a, b) => memory(b) - memory(a));
  return [...largest].sort((a, b) => a.uuid.localeCompare(b.uuid)).slice(0, limit);
}

function probeError(message: string, cause: unknown): FatalError {
  return new FatalError(message, {
    code: "gpu_probe_failed",
    hint: "Repair the NVIDIA driver, or set NODE_LIMIT_GPUS=0 to join without GPUs.",
    cause,
  });
}
