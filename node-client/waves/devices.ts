import { deviceAccess } from "../probe/devices.ts";
import type { Gpu } from "../probe/gpu.ts";

/** A device that a wave may challenge. Its place in the node's list is its number: the GPUs, then the CPU. */
export type WaveDevice = { device: number } & ({ kind: "cpu" } | { kind: "gpu"; gpu: Gpu });

export function waveDevices(gpus: readonly Gpu[]): WaveDevice[] {
  const cards = gpus.map((gpu, device): WaveDevice => ({ device, kind: "gpu", gpu }));
  return [...cards, { device: gpus.length, kind: "cpu" }];
}

/**
 * Whether tenants would feel a challenge of the device: one has the GPU, or any runs on the CPU. Such a device keeps its
 * last proof.
 */
export function isTaken(device: WaveDevice, containers: readonly { gpuUuids: readonly string[] }[]): boolean {
  if (device.kind === "cpu") return containers.length > 0;
  return containers.some(({ gpuUuids }) => gpuUuids.includes(device.gpu.uuid));
}

/** The engine's access to devices, as a tenant of them has it. */
export function accessTo(devices: readonly WaveDevice[]) {
  const gpus = devices.flatMap((device) => (device.kind === "gpu" ? [device.gpu] : []));
  const ofNvidia = gpus.filter(({ devices: paths }) => paths === undefined).map(({ uuid }) => uuid);
  return { gpuUuids: ofNvidia, devices: deviceAccess(gpus) };
}

/** The variable by which a prover sees one GPU alone. */
export function visibleTo(device: WaveDevice): string[] {
  return device.kind === "gpu" ? [`CUDA_VISIBLE_DEVICES=${device.gpu.uuid}`] : ["CUDA_VISIBLE_DEVICES="];
}
