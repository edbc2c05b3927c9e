import { readdirSync, statSync } from "node:fs";
import type { Gpu, GpuInventory } from "./gpu.ts";

/** Where the kernel describes devices; tests name another directory. */
export const sysfs = { root: "/sys" };

/** `0000:83:00.0`, in lower case. Undefined: not a bus address. */
export function busAddressOf(text: string | undefined): string | undefined {
  return /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i.exec(text?.trim() ?? "")?.[0].toLowerCase();
}

/** The render device of the card at a bus address; the kernel lists it. */
function renderDeviceOf(bus: string): string | undefined {
  try {
    const name = readdirSync(`${sysfs.root}/bus/pci/devices/${bus}/drm`).find((one) =>
      /^renderD\d+$/.test(one),
    );
    return name === undefined ? undefined : `/dev/dri/${name}`;
  } catch {
    return undefined;
  }
}

/** A card with the device files that a container needs: `shared` ones and its own render device. */
export function withDevices(gpu: Gpu, bus: string | undefined, sharedDevices: string[]): GpuInventory {
  const render = bus === undefined ? undefined : renderDeviceOf(bus);
  if (render !== undefined) return { gpus: [{ ...gpu, devices: [...sharedDevices, render] }], sick: [] };
  const detail = `The kernel lists no render device of the card at ${bus ?? "an unknown address"}.`;
  return { gpus: [], sick: [{ code: "gpu_device_missing", id: gpu.uuid, name: gpu.name, detail }] };
}

/**
 * The device files of some GPUs, and the groups that own them: a container does not run as root. Root's group is never
 * handed over.
 */
export function deviceAccess(gpus: readonly Gpu[]): { paths: string[]; groups: string[] } {
  const paths = [...new Set(gpus.flatMap((gpu) => gpu.devices ?? []))];
  const groups = new Set(paths.map((path) => statSync(path).gid).filter((gid) => gid !== 0));
  return { paths, groups: [...groups].map(String) };
}
