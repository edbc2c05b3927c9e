import type { Proven } from "@ngpu/proof/proven";
import type { ProvenDevice } from "@ngpu/waves/proofs";
import { gpusOf } from "@ngpu/waves/provenHardware";
import { smaller, sum } from "./amounts.ts";
import { type Catalogue, cpuClass, type UnitRate } from "./catalogue.ts";

/** The declared hardware of a node. */
export type Hardware = { gpus: number; gpuModel: string; vramMib: number; cpuMilli: number };

/** What waves proved of a node's devices. `judged`: enough of them were held since it registered. */
export type NodeProof = { judged: boolean; devices: readonly ProvenDevice[] };

/** Units by class: thousandths of a core in the CPU class, MiB of GPU memory in the others. */
export type Units = ReadonlyMap<number, bigint>;

/**
 * The units of a node: the smaller of declared and proven. They are additive, so parts of a machine have no more units
 * than the whole. A newcomer has what the catalogue grants it.
 *
 * @param isCounted Devices whose units are wanted.
 */
export function unitsOf(
  hardware: Hardware,
  { judged, devices }: NodeProof,
  catalogue: Catalogue,
  isCounted: (device: ProvenDevice) => boolean = () => true,
): Units {
  const units = new Map<number, bigint>();
  const add = (place: number, amount: bigint) => {
    if (amount > 0n) units.set(place, (units.get(place) ?? 0n) + amount);
  };
  const cpus = devices.filter(({ kind }) => kind === "cpu").filter(isCounted);
  const cores = sum(cpus.map(({ proven }) => unitsBy(proven, catalogue.cpu)));
  const least = judged ? 0 : catalogue.newcomerMilli;
  add(cpuClass, smaller(BigInt(hardware.cpuMilli), cores > BigInt(least) ? cores : BigInt(least)));
  for (const gpu of gpusOf(hardware, devices).filter(isCounted)) {
    const amount = smaller(unitsBy(gpu.proven, catalogue.gpu), BigInt(hardware.vramMib));
    add(classOf(gpu.proven, catalogue), amount);
  }
  return units;
}

/** The class of a GPU that proved these figures. */
export function classOf({ bytesPerSecond }: Pick<Proven, "bytesPerSecond">, { bounds }: Catalogue): number {
  return 1 + bounds.filter((bound) => bytesPerSecond >= bound).length;
}

/** How many units figures are worth: as many as the scarcest of them. */
export function unitsBy(figures: Proven, rate: UnitRate): bigint {
  const of = (figure: keyof Proven) => (figures[figure] * rate.units) / rate[figure];
  return smaller(smaller(of("bytes"), of("bytesPerSecond")), of("operationsPerSecond"));
}

/** The units that a node declares, as if all of it were proven: thousandths of its cores, and MiB of its GPUs' memory. */
export function declaredUnits({ gpus, vramMib, cpuMilli }: Hardware): { cpu: bigint; gpu: bigint } {
  return { cpu: BigInt(cpuMilli), gpu: BigInt(gpus) * BigInt(vramMib) };
}

/** The highest price per second at which a node with these units earns. */
export function ceilingOf(units: Units, ceilings: readonly bigint[]): bigint {
  return [...units].reduce((total, [place, amount]) => total + amount * (ceilings[place] ?? 0n), 0n);
}
