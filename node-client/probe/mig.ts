import { cleanName, type Gpu, type GpuInventory, type SickGpu } from "./gpu.ts";

/**
 * Replaces each card that is divided by MIG with its MIG devices: a container cannot use such a card as a whole.
 *
 * @param list Output of `nvidia-smi -L`.
 * @param modes Output of the query `uuid,mig.mode.current`.
 */
export function migInventory({ gpus, sick }: GpuInventory, list: string, modes: string): GpuInventory {
  const devices = devicesIn(list);
  const divided = new Set(devices.map((device) => device.parent));
  for (const line of modes.split("\n")) {
    const [uuid, mode] = line.split(",").map((cell) => cell.trim());
    if (uuid !== undefined && mode === "Enabled") divided.add(uuid);
  }
  const parents = new Map(gpus.filter((gpu) => divided.has(gpu.uuid)).map((gpu) => [gpu.uuid, gpu]));
  const offered = devices.flatMap(({ parent, profile, uuid }): Gpu[] => {
    const gpu = parents.get(parent);
    const gib = Number(/(\d+)gb/.exec(profile)?.[1] ?? 0);
    if (gpu === undefined || gib === 0) return [];
    return [
      {
        ...gpu,
        uuid,
        name: cleanName(`${gpu.name} MIG ${profile}`),
        memoryMib: Math.min(gpu.memoryMib, gib * 1024),
      },
    ];
  });
  const unused = [...parents.values()].filter((gpu) => !devices.some((device) => device.parent === gpu.uuid));
  const left: SickGpu[] = unused.map(({ name, uuid }) => ({
    code: "gpu_mig",
    id: uuid,
    name,
    detail: "MIG is enabled, and the card has no MIG device.",
  }));
  return { gpus: [...gpus.filter((gpu) => !parents.has(gpu.uuid)), ...offered], sick: [...sick, ...left] };
}

function devicesIn(list: string): { parent: string; profile: string; uuid: string }[] {
  let parent = "";
  return list.split("\n").flatMap((line) => {
    const card = /^GPU \d+:.*\(UUID: (GPU-[0-9a-f-]+)\)/i.exec(line)?.[1];
    if (card !== undefined) parent = card;
    const [, profile, uuid] = /^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)/.exec(line) ?? [];
    return profile === undefined || uuid === undefined ? [] : [{ parent, profile, uuid }];
  });
}
