import { type Hardware, operationsLimitOf } from "@ngpu/proof/hardware";
import { type GpuModel, gpuModels } from "@ngpu/proof/models";
import { pageBytes, pageOperations } from "@ngpu/proof/terms";

/** A device as it is, whatever is declared of it. Rates are those of the device without other work. */
export type Device = {
  hardware: Hardware;
  memoryBytes: number;
  /** Dependent reads of 64 bytes, of memory that is there. */
  readsPerSecond: number;
  /** Pages that the best known program makes: a liar has it. */
  pagesPerSecond: number;
  operationsPerSecond: number;
  /** Bytes of the fill that this prover makes. */
  filledPerSecond: number;
};

const GiB = 2 ** 30;

/**
 * Bytes of random reads for each byte of published bandwidth. Assumed, since no GPU is measured yet: a read of 64 bytes is
 * two sectors of a GPU's memory.
 */
export const randomShare = 0.6;
/** Share of the limit that this prover's arithmetic reaches: 44.3 Gop a core and second are measured, of 100. */
const workShare = 0.44;
/** Dependent reads a second of one core, measured: 1.375 GiB/s on two cores. */
const readsPerCore = (1.375 * GiB) / 64 / 2;

/** Share of the limit that this prover's fill reaches: 0.26 GiB a core and second are measured, of 1.55. */
const fillShare = 0.16;

function deviceOf(hardware: Hardware, memoryGib: number, readsPerSecond: number): Device {
  const limit = Number(operationsLimitOf(hardware));
  return {
    hardware,
    memoryBytes: memoryGib * GiB,
    readsPerSecond,
    pagesPerSecond: limit / pageOperations,
    operationsPerSecond: limit * workShare,
    filledPerSecond: (limit / pageOperations) * fillShare * pageBytes,
  };
}

/** A GPU by its published figures. */
export function gpuDevice({ name, memoryGib, gbPerSecond }: GpuModel, share = randomShare): Device {
  return deviceOf({ kind: "gpu", model: name }, memoryGib, (gbPerSecond * 1e9 * share) / 64);
}

export function cpuDevice(cores: number, memoryGib: number): Device {
  return deviceOf({ kind: "cpu", cores }, memoryGib, cores * readsPerCore);
}

/** A MIG slice: so many eighths of the card's memory and bandwidth. The name is as the node client gives it. */
export function sliceDevice(model: GpuModel, profile: string, eighths: number): Device {
  const { name, memoryGib, gbPerSecond } = model;
  const reads = (gbPerSecond * 1e9 * randomShare * eighths) / 8 / 64;
  const slice = deviceOf({ kind: "gpu", model: `${name} MIG ${profile}` }, (memoryGib * eighths) / 8, reads);
  // The arithmetic of a slice is a share of its card's, whatever the bound of its name is.
  const card = gpuDevice(model);
  const share = Number.parseInt(profile, 10) / 7;
  return {
    ...slice,
    pagesPerSecond: card.pagesPerSecond * share,
    operationsPerSecond: card.operationsPerSecond * share,
    filledPerSecond: card.filledPerSecond * share,
  };
}

export function modelNamed(name: string): GpuModel {
  const found = gpuModels.find((model) => model.name === name);
  if (found === undefined) throw new RangeError(`There is no model ${name}.`);
  return found;
}
