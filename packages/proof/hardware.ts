import { type GpuModel, gpuModels } from "./models.ts";
import type { Proven } from "./proven.ts";

/** Declared hardware: a model of GPU by its driver's name, or the cores of a CPU. */
export type Hardware = { kind: "gpu"; model: string } | { kind: "cpu"; cores: number };

/** What the best known program does on one core with vectors of 512 bits: 95 Gop/s, rounded up. */
const operationsPerCore = 100_000_000_000n;
/** A multiplication with an addition counts as two operations in a model's figure, and as one here. */
const operationsPerTeraflop = 500_000_000_000n;
/** Cards run above their published clocks: tolerance of every figure, in percent. */
const tolerance = 115n;

/** A card has at least four compute slices: seven of most models, four of an A30. */
const leastSlices = 4n;

/**
 * Operations a second that no program exceeds on the declared hardware: the bound of what a prover can make up. A model
 * without figures has those of the fastest known one. A MIG device has its compute slices of its card's.
 */
export function operationsLimitOf(hardware: Hardware): bigint {
  if (hardware.kind === "cpu") return BigInt(hardware.cores) * operationsPerCore;
  const { card, slices } = sliceOf(hardware.model);
  const known = gpuModels.find(({ name }) => name === card);
  const teraflops = known?.teraflops ?? Math.max(...gpuModels.map((model) => model.teraflops));
  const whole = (thousandths(teraflops) * operationsPerTeraflop * tolerance) / 100_000n;
  return slices < leastSlices ? (whole * slices) / leastSlices : whole;
}

/** `NVIDIA H100 80GB HBM3 MIG 1g.10gb` has one slice of its card. Another name is a whole card. */
function sliceOf(model: string): { card: string; slices: bigint } {
  const [, card, slices] = /^(.+) MIG ([1-9])g\.\d+gb(?:\+\S+)?$/.exec(model) ?? [];
  if (card === undefined || slices === undefined) return { card: model, slices: leastSlices };
  return { card, slices: BigInt(slices) };
}

/** A figure that the declared model cannot have. */
export type Contradiction = { figure: "memory" | "bandwidth" | "arithmetic"; stated: number; proven: bigint };

/** What contradicts a model's name. Nothing contradicts a name that has no figures, and nothing is proven by a name. */
export function contradictionsOf(model: string, { bytes, bytesPerSecond, operationsPerSecond }: Proven) {
  const known = gpuModels.find(({ name }) => name === sliceOf(model).card);
  if (known === undefined) return [];
  const found: Contradiction[] = [];
  // The driver keeps a part of the memory, so no card shows more than it is sold with.
  if (bytes > thousandths(known.memoryGib) * (2n ** 30n / 1_000n + 1n))
    found.push({ figure: "memory", stated: known.memoryGib, proven: bytes });
  if (bytesPerSecond > (thousandths(known.gbPerSecond) * 1_000_000n * tolerance) / 100n)
    found.push({ figure: "bandwidth", stated: known.gbPerSecond, proven: bytesPerSecond });
  if (operationsPerSecond > operationsLimitOf({ kind: "gpu", model }))
    found.push({ figure: "arithmetic", stated: known.teraflops, proven: operationsPerSecond });
  return found;
}

/** The models that these figures do not contradict. They cannot be told apart, and are paid alike. */
export function modelsThatFit(proven: Proven): GpuModel[] {
  return gpuModels.filter(({ name }) => contradictionsOf(name, proven).length === 0);
}

/** Published figures have at most three decimals. */
function thousandths(figure: number): bigint {
  return BigInt(Math.round(figure * 1_000));
}
