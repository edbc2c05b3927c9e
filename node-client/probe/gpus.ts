import { readAmd } from "./amd.ts";
import { type Gpu, type GpuInventory, merged } from "./gpu.ts";
import { readIntel } from "./intel.ts";
import { readNvidia } from "./nvidia.ts";

export type { Gpu, GpuInventory, SickGpu } from "./gpu.ts";

/**
 * Reads the GPUs of this machine from the tools of their drivers: `nvidia-smi`, `amd-smi` or `rocm-smi`, `xpu-smi`. A
 * vendor has no GPU here when this user cannot find its tool. Each card is read by itself: one that cannot be read is
 * listed as sick and hides no other.
 *
 * @param systemMemoryMib Memory that a chip without memory of its own may be offered with.
 */
export async function probeGpus(systemMemoryMib: number): Promise<GpuInventory> {
  return merged(await Promise.all([readNvidia(systemMemoryMib), readAmd(), readIntel()]));
}

/** The GPUs that a node offers: the group of equal GPUs with the most memory in total, up to `limit`. */
export function offeredGpus(gpus: readonly Gpu[], limit = gpus.length): Gpu[] {
  const groups = Map.groupBy(gpus, (gpu) => `${gpu.name}/${gpu.memoryMib}/${gpu.computeCapability}`);
  const memory = (group: Gpu[]) => group.reduce((sum, gpu) => sum + gpu.memoryMib, 0);
  const [largest = []] = [...groups.values()].sort((a, b) => memory(b) - memory(a));
  return [...largest].sort((a, b) => a.uuid.localeCompare(b.uuid)).slice(0, limit);
}
