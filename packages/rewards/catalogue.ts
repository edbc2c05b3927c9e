import { type GpuModel, gpuModels } from "@ngpu/proof/models";
import { FatalError } from "@ngpu/runtime/errors";
import { canonicalJson } from "@ngpu/runtime/json";
import { type Hex, keccak256, slice, stringToHex } from "viem";

/** Classes of hardware, by their place in the terms. A GPU's class follows from the bandwidth of its memory. */
export const classNames = [
  "CPU",
  "GPU below 500 GB/s",
  "GPU below 1,200 GB/s",
  "GPU from 1,200 GB/s",
] as const;

/** GB/s from which a GPU belongs to the next class. */
const bounds = [500, 1_200] as const;

export const cpuClass = 0;

/** The class of a model. */
export function classOf({ gbPerSecond }: Pick<GpuModel, "gbPerSecond">): number {
  return 1 + bounds.filter((bound) => gbPerSecond >= bound).length;
}

/** Identifies a model on the chain: the first 8 bytes of the hash of its name, as in a node's spec. */
export function modelIdOf(name: string): Hex {
  return slice(keccak256(stringToHex(name)), 0, 8);
}

/** What counts of a model, by its id on the chain. */
export type Catalogue = ReadonlyMap<string, { class: number; memoryMib: number }>;

function catalogueOfModels(models: readonly GpuModel[]): Catalogue {
  return new Map(
    models.map((model) => [
      modelIdOf(model.name),
      { class: classOf(model), memoryMib: model.memoryGib * 1_024 },
    ]),
  );
}

/** Hash of a catalogue: the terms on the chain name it. */
export function hashOfModels(models: readonly GpuModel[]): Hex {
  const rows = models.map(({ name, memoryGib, gbPerSecond }) => ({ name, memoryGib, gbPerSecond }));
  return keccak256(stringToHex(canonicalJson({ bounds, rows })));
}

/** Every catalogue that terms may name. A changed table is added here, and the earlier one stays: its epochs can be recomputed. */
const catalogues = new Map<string, Catalogue>([[hashOfModels(gpuModels), catalogueOfModels(gpuModels)]]);

/** The hash of the newest catalogue. */
export const newestCatalogue: Hex = hashOfModels(gpuModels);

/** @throws FatalError `catalogue_unknown` for a hash that no catalogue of this version has. */
export function catalogueOf(hash: string): Catalogue {
  const found = catalogues.get(hash.toLowerCase());
  if (found !== undefined) return found;
  throw new FatalError(`The reward terms name the catalogue ${hash}, which this version does not have.`, {
    code: "catalogue_unknown",
    hint: "Update this program to a version whose docs/rewards.md lists that catalogue.",
  });
}
