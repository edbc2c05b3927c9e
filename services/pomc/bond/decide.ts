/** What a node's bond is and how it is served. Written into each epoch's document. */
export type BondTerms = {
  /** Token units (1e-18) withheld from a node's first rewards. */
  amount: bigint;
  /** Days of uptime after which they are returned. */
  days: number;
  /** In how many of 1,000 slots of a day the node must have been present for the day to count. */
  uptimePermille: number;
};

/** A node's bond after an epoch. */
export type NodeBond = {
  nodeId: number;
  /** Where the node's rewards went when this was written. */
  account: string;
  withheld: bigint;
  days: number;
  /** The epoch from which on nothing is withheld; null until the days are served. */
  servedIn: number | null;
};

export type BondFacts = {
  epoch: number;
  terms: BondTerms;
  /** What each node earned in the epoch. */
  shares: readonly { nodeId: number; account: string; amount: bigint }[];
  /**
   * Days of uptime that ended since the epoch before, with where the node's rewards go now; none for a node whose bond is only
   * due.
   */
  served: readonly { nodeId: number; account: string; days: number }[];
  /** What may be granted in the epoch at most. No less than the shares. */
  grantLimit: bigint;
};

/** What is withheld of nodes that have served their days by now: what is to be returned. */
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
 * How much of an epoch's emission is kept back for bonds that are due. Within one Pomc nothing: what was withheld there is room
 * that its schedule has left. What was withheld under a Pomc that was replaced is not in the schedule of its successor, so it comes
 * out of what that has left, and then out of a quarter of the emission at most until all is returned.
 *
 * @param room What may be granted in the epoch at most, its emission included.
 */
export function reservedForBonds(due: readonly NodeBond[], grantLimit: bigint, emission: bigint): bigint {
  const owed = due.reduce((sum, bond) => sum + bond.withheld, 0n);
  const missing = owed - (grantLimit - emission);
  return missing <= 0n ? 0n : smaller(missing, emission / 4n);
}

/**
 * Withholds each node's first rewards until it served its days, then returns them at once, to where its rewards go then. A
 * node that goes away before leaves them ungranted, so one machine under many identities has each of their bonds withheld. What
 * finds no room is returned by a later epoch.
 *
 * @param before Every node's bond after the epoch before.
 * @returns What is granted, and the bonds that changed, both by node.
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
  // Shares come before returns.
  let left = grantLimit - shares.reduce((sum, { amount }) => sum + amount, 0n);
  for (const [nodeId, { account, amount, days }] of [...changes].sort(([a], [b]) => a - b)) {
    const bond = before.get(nodeId) ?? { nodeId, account, withheld: 0n, days: 0, servedIn: null };
    if (bond.servedIn !== null) {
      grants.push({ account, amount });
      continue;
    }
    const due = bond.withheld + amount;
    const total = bond.days + days;
    const kept = total >= terms.days ? 0n : smaller(due, terms.amount);
    const withheld = larger(kept, bond.withheld - left);
    left -= bond.withheld - withheld;
    grants.push({ account, amount: due - withheld });
    const isServed = total >= terms.days && withheld === 0n;
    if (!isServed && withheld === bond.withheld && days === 0) continue;
    bonds.push({ nodeId, account, withheld, days: total, servedIn: isServed ? epoch : null });
  }
  return { grants: grants.filter(({ amount }) => amount > 0n), bonds };
}

const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
const larger = (a: bigint, b: bigint) => (a > b ? a : b);
