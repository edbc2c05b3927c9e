import { type Hex, toHex } from "viem";

/** The terms of one class. Amounts are token units (1e-18). */
export type ClassTerms = {
  /** Its part of the pots, in millionths. */
  weight: bigint;
  /** Most that one unit earns in one slot. */
  rate: bigint;
  /** Highest price for one unit and second at which a node earns. */
  ceiling: bigint;
};

/** How an epoch's emission is shared, as Pomc's `TermsSet` states it. Basis points are hundredths of a percent. */
export type RewardTerms = {
  measurerBasisPoints: number;
  taskBasisPoints: number;
  nodeTaskBasisPoints: number;
  payerTaskBasisPoints: number;
  /** Most that one result of a measurer earns. */
  measurerRate: bigint;
  /** Least amount withheld from a node's first rewards. */
  bond: bigint;
  /** The bond is at least this many times the node's highest reward of an epoch. */
  bondEpochs: number;
  bondDays: number;
  bondUptimePermille: number;
  /** Hash of the catalogue of units: what counts of proven figures. */
  catalogue: Hex;
  /** By class, CPUs first. */
  classes: ClassTerms[];
};

/** The terms as Pomc's struct has them. */
export type TermsArgument = Omit<RewardTerms, "classes"> & { classes: readonly Hex[] };

/** | weight 32 | rate 96 | - 64 | ceiling 64 | */
function packClass({ weight, rate, ceiling }: ClassTerms): Hex {
  return toHex((weight << 224n) | (rate << 128n) | ceiling, { size: 32 });
}

function unpackClass(word: Hex): ClassTerms {
  const value = BigInt(word);
  return {
    weight: value >> 224n,
    rate: (value >> 128n) & (2n ** 96n - 1n),
    ceiling: value & (2n ** 64n - 1n),
  };
}

/** The argument of `Pomc.setTerms`. */
export function packTerms(terms: RewardTerms): TermsArgument {
  return { ...terms, classes: terms.classes.map(packClass) };
}

/** The terms of a `TermsSet` event. */
export function unpackTerms(terms: TermsArgument): RewardTerms {
  return { ...terms, classes: terms.classes.map(unpackClass) };
}

/** Terms with the epoch that they apply from. */
export type TermsSet = { fromEpoch: number; terms: RewardTerms };

/** The terms of an epoch: the last ones set, in the chain's order, among those that apply from it or an earlier epoch. */
export function termsOf(history: readonly TermsSet[], epoch: number): RewardTerms | undefined {
  return history.findLast(({ fromEpoch }) => fromEpoch <= epoch)?.terms;
}
