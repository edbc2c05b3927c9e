import type { ReplicaStats } from "@ngpu/protocol/replicaStats";
import { runTool } from "../probe/tool.ts";

type Gpus = ReplicaStats["gpus"];

const mebibyte = 2 ** 20;
const query = ["--query-gpu=uuid,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"];

/** What a replica's GPUs do, by NVIDIA's tool. A GPU that it does not list has no numbers. */
export async function readGpuStats(uuids: readonly string[]): Promise<Gpus> {
  if (uuids.length === 0) return [];
  const output = await runTool("nvidia-smi", query);
  return parseGpuStats(output?.stdout ?? "", uuids);
}

/** Parses lines such as `GPU-…, 35, 1024, 24576`; a value in brackets is not known. */
export function parseGpuStats(stdout: string, uuids: readonly string[]): Gpus {
  const rows = new Map(
    stdout.split("\n").map((line) => {
      const [id = "", ...values] = line.split(",").map((cell) => cell.trim());
      return [id, values.map((value) => (/^\d+$/.test(value) ? Number(value) : null))] as const;
    }),
  );
  return uuids.map((id) => {
    const [percent = null, used = null, total = null] = rows.get(id) ?? [];
    return {
      id,
      percent: percent === null ? null : Math.min(100, percent),
      memoryBytes: used === null ? null : used * mebibyte,
      memoryLimitBytes: total === null ? null : total * mebibyte,
    };
  });
}
