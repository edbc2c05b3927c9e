import { isReadable } from "@ngpu/protocol/heartbeatBits";
import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { larger, smaller } from "./amounts.ts";
import type { RewardTerms } from "./terms.ts";

/** The amount of a bond and how it is served. Part of each epoch's document. */
export type BondTerms = {
  /** Least token units (1e-18) withheld from a node's first rewards. */
  amount: bigint;
  /** The bond is at least this many times the node's highest earnings of an epoch, so it grows with what is at stake. */
  epochs: number;
  /** Days of uptime after which the bond is returned. */
  days: number;
  /** Minimum presence for a day to count, in thousandths of its slots. */
  uptimePermille: number;
};

/** A node's bond after an epoch. */
export type NodeBond = {
  nodeId: number;
  /** The account that received the node's rewards when the bond last changed. */
  account: string;
  /** Token units (1e-18). */
  withheld: bigint;
  /** The node's highest earnings of an epoch while the bond was withheld, token units. */
  highest: bigint;
  /** Days served. */
  days: number;
  /** The epoch from which nothing is withheld; null until the bond is served and returned. */
  servedIn: number | null;
};

export type BondFacts = {
  epoch: number;
  terms: BondTerms;
  /** Earnings of each node in the epoch, token units (1e-18). */
  shares: readonly { nodeId: number; account: string; amount: bigint }[];
  /**
   * Days of uptime that ended since the previous epoch, with the account that receives the node's rewards now. `days` is 0 for a
   * node that has no such day but whose bond is due.
   */
  served: readonly { nodeId: number; account: string; days: number }[];
  /** Maximum grants of the epoch; at least the sum of the shares. */
  grantLimit: bigint;
};

/** The terms of bonds among those of rewards. */
export function bondTermsOf(terms: RewardTerms): BondTerms {
  return {
    amount: terms.bond,
    epochs: terms.bondEpochs,
    days: terms.bondDays,
    uptimePermille: terms.bondUptimePermille,
  };
}

/**
 * The nodes that were present in enough of a day's slots. Slots that were never committed do not count against a node. Slots
 * committed before its registration do: only a full day counts.
 */
export function nodesThatServed(
  facts: PresenceFacts,
  { uptimePermille }: Pick<BondTerms, "uptimePermille">,
): number[] {
  const committed = facts.slots.filter(isReadable).length;
  return [...countPresence(facts)]
    .filter(([, { presentSlots, totalSlots }]) => {
      const slots = Math.max(totalSlots, committed);
      return presentSlots * 1_000 >= uptimePermille * slots;
    })
    .map(([nodeId]) => nodeId);
}

/** The bonds to return: those of nodes that have served their days. */
export function dueBonds(
  before: ReadonlyMap<number, NodeBond>,
  { terms, served }: Pick<BondFacts, "terms" | "served">,
): NodeBond[] {
  const days = new Map(served.map((node) => [node.nodeId, node.days]));
  return [...before.values()].filter(
    (bond) =>
      bond.servedIn === null && bond.withheld > 0n && bond.days + (days.get(bond.nodeId) ?? 0) >= terms.days,
  );
}

/**
 * The part of an epoch's emission that is reserved for due bonds. Within one Pomc it is zero: an amount withheld there is still
 * available in its schedule. The schedule of a successor does not include amounts withheld under its predecessor. They are paid
 * from the unused part of its schedule, then from at most a quarter of each epoch's emission until all are returned.
 *
 * @param grantLimit Maximum grants of the epoch, its emission included.
 */
export function reservedForBonds(due: readonly NodeBond[], grantLimit: bigint, emission: bigint): bigint {
  const owed = due.reduce((sum, bond) => sum + bond.withheld, 0n);
  const missing = owed - (grantLimit - emission);
  return missing <= 0n ? 0n : smaller(missing, emission / 4n);
}

/**
 * Withholds each node's first rewards until it has served its days, then returns them in one epoch to the account that receives
 * its rewards then. The bond of a node that leaves earlier is never granted, so a machine with many identities has a bond
 * withheld for each. An amount above the grant limit is returned in a later epoch.
 *
 * @param before Every node's bond after the previous epoch.
 * @returns The grants and the changed bonds, both in order of node id.
 */
export function settleBonds(
  before: ReadonlyMap<number, NodeBond>,
  { epoch, terms, shares, served, grantLimit }: BondFacts,
): { grants: { account: string; amount: bigint }[]; bonds: NodeBond[] } {
  const changes = new Map<number, { account: string; amount: bigint; days: number }>();
  for (const { nodeId, account, amount } of shares) changes.set(nodeId, { account, amount, days: 0 });
  for (const { nodeId, account, days } of served) {
    changes.set(nodeId, { account, amount: changes.get(nodeId)?.amount ?? 0n, days });
  }
  const grants: { account: string; amount: bigint }[] = [];
  const bonds: NodeBond[] = [];
  // Shares take precedence over returned bonds.
  let left = grantLimit - shares.reduce((sum, { amount }) => sum + amount, 0n);
  for (const [nodeId, { account, amount, days }] of [...changes].sort(([a], [b]) => a - b)) {
    const bond = before.get(nodeId) ?? {
      nodeId,
      account,
      withheld: 0n,
      highest: 0n,
      days: 0,
      servedIn: null,
    };
    if (bond.servedIn !== null) {
      grants.push({ account, amount });
      continue;
    }
    const due = bond.withheld + amount;
    const total = bond.days + days;
    const highest = larger(amount, bond.highest);
    const needed = larger(terms.amount, BigInt(terms.epochs) * highest);
    const kept = total >= terms.days ? 0n : smaller(due, needed);
    const withheld = larger(kept, bond.withheld - left);
    left -= bond.withheld - withheld;
    grants.push({ account, amount: due - withheld });
    const isServed = total >= terms.days && withheld === 0n;
    if (!isServed && withheld === bond.withheld && days === 0) continue;
    bonds.push({ nodeId, account, withheld, highest, days: total, servedIn: isServed ? epoch : null });
  }
  return { grants: grants.filter(({ amount }) => amount > 0n), bonds };
}
