import { gpuModels } from "@ngpu/proof/models";
import { cpuDevice, type Device, gpuDevice, modelNamed, sliceDevice } from "./devices.ts";
import type { Random } from "./random.ts";

/** What kind of machine a node is. The report counts them apart. */
export type MachineKind = "one GPU" | "several GPUs" | "mixed GPUs" | "MIG slices" | "CPU only";

export type Machine = { kind: MachineKind; devices: Device[] };

/** Share of each kind in the fleet. */
const kinds: readonly [MachineKind, number][] = [
  ["one GPU", 0.4],
  ["several GPUs", 0.2],
  ["mixed GPUs", 0.08],
  ["MIG slices", 0.07],
  ["CPU only", 0.25],
];

const sliced = ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA H200"].map(modelNamed);
/** Profiles of a card with eight slices of memory: compute slices, and eighths of the memory. */
const profiles = [
  { profile: "1g.10gb", eighths: 1, count: 7 },
  { profile: "2g.20gb", eighths: 2, count: 3 },
  { profile: "3g.40gb", eighths: 4, count: 2 },
] as const;
const cores = [2, 4, 8, 16, 32, 64, 128];
const gibPerCore = [2, 4, 8];

/** Machines of every kind, each with its own devices. */
export function drawFleet(count: number, random: Random): Machine[] {
  return Array.from({ length: count }, () => drawMachine(random));
}

function drawMachine(random: Random): Machine {
  let left = random.next();
  const kind = kinds.find(([, share]) => {
    left -= share;
    return left < 0;
  });
  return machineOf(kind?.[0] ?? "CPU only", random);
}

export function machineOf(kind: MachineKind, random: Random): Machine {
  return { kind, devices: devicesOf(kind, random) };
}

function devicesOf(kind: MachineKind, random: Random): Device[] {
  switch (kind) {
    case "one GPU":
      return [gpuDevice(random.pick(gpuModels))];
    case "several GPUs": {
      const model = random.pick(gpuModels);
      return Array.from({ length: random.pick([2, 4, 8]) }, () => gpuDevice(model));
    }
    case "mixed GPUs":
      return Array.from({ length: 2 + random.under(5) }, () => gpuDevice(random.pick(gpuModels)));
    case "MIG slices": {
      const card = random.pick(sliced);
      const { profile, eighths, count } = random.pick(profiles);
      return Array.from({ length: count }, () => sliceDevice(card, profile, eighths));
    }
    case "CPU only": {
      const count = random.pick(cores);
      return [cpuDevice(count, count * random.pick(gibPerCore))];
    }
  }
}
