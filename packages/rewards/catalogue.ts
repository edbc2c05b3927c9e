import type { Proven } from "@ngpu/proof/proven";
import { FatalError } from "@ngpu/runtime/errors";
import { canonicalJson } from "@ngpu/runtime/json";
import { perCore } from "@ngpu/waves/provenHardware";
import { type Hex, keccak256, stringToHex } from "viem";

/** Classes of hardware, by their place in the terms. A GPU's class follows from the random reads that it proved. */
export const classNames = ["CPU", "GPU below 250 GB/s", "GPU below 600 GB/s", "GPU from 600 GB/s"] as const;

export const cpuClass = 0;

/** What so many units take of each figure. The scarcest one counts. */
export type UnitRate = Proven & { units: bigint };

/** What counts of proven hardware: docs/rewards.md derives the figures. */
export type Catalogue = {
  cpu: UnitRate;
  gpu: UnitRate;
  /** Bytes a second of random reads from which a GPU belongs to the next class. */
  bounds: readonly bigint[];
  /** Thousandths of a core that a node counts with until waves have judged it. */
  newcomerMilli: number;
};

const mebibyte = 2n ** 20n;
const giga = 10n ** 9n;

/** Nothing counts before it is proven. */
const proven: Catalogue = {
  cpu: {
    units: 1_000n,
    bytes: 512n * mebibyte,
    ...perCore,
  },
  gpu: {
    units: 1_024n,
    bytes: 1_024n * mebibyte,
    bytesPerSecond: 4n * giga,
    operationsPerSecond: 30n * giga,
  },
  bounds: [250n * giga, 600n * giga],
  newcomerMilli: 0,
};

/** For markets whose tokens are worth nothing: a node earns something before the first waves. */
const trial: Catalogue = { ...proven, newcomerMilli: 250 };

/** Hash of a catalogue: the terms on the chain name it. */
function hashOf(catalogue: Catalogue): Hex {
  return keccak256(stringToHex(canonicalJson(catalogue)));
}

/** The hash of the catalogue of a market, and of one that is tried out. */
export const newestCatalogue: Hex = hashOf(proven);
export const trialCatalogue: Hex = hashOf(trial);

/** Every catalogue that terms may name. A changed one is added, and the earlier one stays: its epochs can be recomputed. */
const catalogues = new Map([proven, trial].map((catalogue) => [hashOf(catalogue), catalogue]));

/** @throws FatalError `catalogue_unknown` for a hash that no catalogue of this version has. */
export function catalogueOf(hash: string): Catalogue {
  const found = catalogues.get(hash.toLowerCase() as Hex);
  if (found !== undefined) return found;
  throw new FatalError(`The reward terms name the catalogue ${hash}, which this version does not have.`, {
    code: "catalogue_unknown",
    hint: "Update this program to a version whose docs/rewards.md lists that catalogue.",
  });
}
