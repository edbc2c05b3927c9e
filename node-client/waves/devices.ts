import { deviceAccess } from "../probe/devices.ts";
import type { Gpu } from "../probe/gpu.ts";

/** A device that a wave may challenge. Its place in the node's claim is its number. */
export type WaveDevice = { device: number } & ({ kind: "cpu" } | { kind: "gpu"; gpu: Gpu });

/** The devices that a node may claim: the GPUs, then the CPU. */
export function waveDevices(gpus: readonly Gpu[]): WaveDevice[] {
  const cards = gpus.map((gpu, device): WaveDevice => ({ device, kind: "gpu", gpu }));
  return [...cards, { device: gpus.length, kind: "cpu" }];
}

/** Names a device for as long as it is in this machine. */
export function deviceName(device: WaveDevice): string {
  return device.kind === "cpu" ? "cpu" : device.gpu.uuid;
}

/** The devices by their places in the node's claim. A card that is gone since has none. */
export function claimedDevices(gpus: readonly Gpu[], claimed: readonly string[]): WaveDevice[] {
  return waveDevices(gpus).flatMap((device) => {
    const place = claimed.indexOf(deviceName(device));
    return place === -1 ? [] : [{ ...device, device: place }];
  });
}

/**
 * Whether tenants would feel a challenge of the device: one has the GPU, or any runs on the CPU. Such a device keeps its
 * last proof.
 */
export function isTaken(
  device: WaveDevice,
  containers: readonly { gpuUuids: readonly string[] }[],
  { besideTenants = false }: { besideTenants?: boolean } = {},
): boolean {
  if (device.kind === "cpu") return containers.length > 0 && !besideTenants;
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
