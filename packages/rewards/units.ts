import { type Catalogue, cpuClass } from "./catalogue.ts";

/** The declared hardware of a node. */
export type Hardware = { gpus: number; gpuModel: string; vramMib: number; cpuMilli: number };

/** Units by class: thousandths of a core in the CPU class, MiB of GPU memory in the others. */
export type Units = ReadonlyMap<number, bigint>;

/**
 * The units of a node. They are additive, so parts of a machine have no more units than the whole. A GPU counts with the
 * smaller of its declared memory and the catalogue's figure; a model that the catalogue does not have counts nothing.
 */
export function unitsOf(hardware: Hardware, catalogue: Catalogue): Units {
  const units = new Map<number, bigint>();
  if (hardware.cpuMilli > 0) units.set(cpuClass, BigInt(hardware.cpuMilli));
  const model = hardware.gpus > 0 ? catalogue.get(hardware.gpuModel.toLowerCase()) : undefined;
  const memory = model === undefined ? 0 : Math.min(hardware.vramMib, model.memoryMib);
  if (model !== undefined && memory > 0) units.set(model.class, BigInt(hardware.gpus) * BigInt(memory));
  return units;
}

/** The highest price per second at which a node with these units earns. */
export function ceilingOf(units: Units, ceilings: readonly bigint[]): bigint {
  return [...units].reduce((sum, [place, amount]) => sum + amount * (ceilings[place] ?? 0n), 0n);
}
