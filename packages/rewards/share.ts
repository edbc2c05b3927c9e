import { smaller } from "./amounts.ts";
import type { RewardTerms } from "./terms.ts";

const basisPoints = 10_000n;
const millionth = 1_000_000n;

/** What a node adds to a class: units, and the slots in which it earned. */
export type Claimant = { nodeId: number; account: string; class: number; units: bigint; slots: number };

export type NodeShare = Claimant & { amount: bigint };

/** A class of an epoch: its pot, Σ units × slots, and what was granted of the pot. */
export type ClassPot = { class: number; pot: bigint; weight: bigint; granted: bigint };

/**
 * Shares an epoch's emission among nodes, in integers, each division rounded down. For class c and node i:
 *
 *   P_c = E · (10⁴ − μ − τ) · w_c ÷ 10¹⁰       the pot
 *   W_i = u_i · p_i                             units × slots
 *   G_c = min(P_c, r_c · ΣW)                    granted; the rest is not minted
 *   amount_i = G_c · W_i ÷ ΣW
 *
 * There is no limit for an account. G_c depends on the class's total alone, so parts of a node gain nothing.
 */
export function shareEmission(
  claimants: readonly Claimant[],
  emission: bigint,
  terms: RewardTerms,
): { classes: ClassPot[]; shares: NodeShare[] } {
  const weights = terms.classes.map(() => 0n);
  for (const { class: place, units, slots } of claimants) {
    weights[place] = (weights[place] ?? 0n) + units * BigInt(slots);
  }
  const parts = basisPoints - BigInt(terms.measurerBasisPoints + terms.taskBasisPoints);
  const classes = terms.classes.map(({ weight: part, rate }, place): ClassPot => {
    const pot = (emission * parts * part) / (basisPoints * millionth);
    const weight = weights[place] ?? 0n;
    return { class: place, pot, weight, granted: smaller(pot, rate * weight) };
  });
  const shares = claimants.flatMap((claimant): NodeShare[] => {
    const { granted, weight } = classes[claimant.class] ?? { granted: 0n, weight: 0n };
    const own = claimant.units * BigInt(claimant.slots);
    return own === 0n ? [] : [{ ...claimant, amount: (granted * own) / weight }];
  });
  return { classes, shares: shares.sort((a, b) => a.nodeId - b.nodeId || a.class - b.class) };
}
