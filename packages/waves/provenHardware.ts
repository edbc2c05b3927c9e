import { contradictionsOf } from "@ngpu/proof/hardware";
import type { Proven } from "@ngpu/proof/proven";
import { modelNamed } from "./claims.ts";
import type { Proofs, ProvenDevice } from "./proofs.ts";

/** What a node declares of its devices. */
export type DeclaredHardware = { gpus: number; gpuModel: string | null; vramMib: number };

/** The most of a node's hardware that placements may use. */
export type HardwareLimit = { gpus: number; vramMib: number; cpuMilli: number; memoryMib: number };

/** What a core reads at random and computes, at least: bytes and 32-bit operations a second. */
export const perCore = { bytesPerSecond: 400_000_000n, operationsPerSecond: 4_000_000_000n };

const mebibyte = 2n ** 20n;

/**
 * What waves proved of a node, by the block of its registration; undefined: it is a newcomer, and counts as it declares.
 * GPUs share one size: that of the smallest proven one.
 */
export function hardwareLimit(
  proofs: Proofs,
  nodeId: number,
  registered: bigint,
  declared: DeclaredHardware,
): HardwareLimit | undefined {
  if (!proofs.isJudged(registered)) return undefined;
  const devices = proofs.devicesOf(nodeId);
  const gpus = gpusOf(declared, devices).filter(({ proven }) => proven.bytes > 0n);
  const cpus = devices.filter(({ kind }) => kind === "cpu").map(({ proven }) => proven);
  const sizes = gpus.map(({ proven }) => Number(proven.bytes / mebibyte));
  return {
    gpus: gpus.length,
    vramMib: gpus.length === 0 ? 0 : Math.min(declared.vramMib, ...sizes),
    cpuMilli: Number(cpus.reduce((total, figures) => total + milliOf(figures), 0n)),
    memoryMib: Number(cpus.reduce((total, { bytes }) => total + bytes / mebibyte, 0n)),
  };
}

/** The GPUs that a node declares and claims, as many as it declares, without those whose figures contradict the model's name. */
export function gpusOf(
  { gpus, gpuModel }: Pick<DeclaredHardware, "gpus" | "gpuModel">,
  devices: readonly ProvenDevice[],
): ProvenDevice[] {
  return devices
    .filter(({ kind, modelHash }) => kind === "gpu" && modelHash === gpuModel?.toLowerCase())
    .slice(0, gpus)
    .filter(({ modelHash, proven }) => !isContradicted(modelHash, proven));
}

function isContradicted(modelHash: ProvenDevice["modelHash"], proven: Proven): boolean {
  const model = modelHash === undefined ? undefined : modelNamed(modelHash);
  return model !== undefined && contradictionsOf(model, proven).length > 0;
}

/** Thousandths of cores that these rates show. */
function milliOf({ bytesPerSecond, operationsPerSecond }: Proven): bigint {
  const [reads, operations] = [
    (bytesPerSecond * 1_000n) / perCore.bytesPerSecond,
    (operationsPerSecond * 1_000n) / perCore.operationsPerSecond,
  ];
  return reads < operations ? reads : operations;
}
