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
  /** Days of uptime that ended since the epoch before, with where the node's rewards go now. */
  served: readonly { nodeId: number; account: string; days: number }[];
};

/**
 * Withholds each node's first rewards until it served its days, then returns them at once, to where its rewards go then. A
 * node that goes away before leaves them ungranted, so one machine under many identities has each of their bonds withheld.
 *
 * @param before Every node's bond after the epoch before.
 * @returns What is granted, and the bonds that changed, both by node.
 */
export function settleBonds(
  before: ReadonlyMap<number, NodeBond>,
  { epoch, terms, shares, served }: BondFacts,
): { grants: { account: string; amount: bigint }[]; bonds: NodeBond[] } {
  const news = new Map<number, { account: string; amount: bigint; days: number }>();
  for (const { nodeId, account, amount } of shares) news.set(nodeId, { account, amount, days: 0 });
  for (const { nodeId, account, days } of served) {
    news.set(nodeId, { account, amount: news.get(nodeId)?.amount ?? 0n, days });
  }
  const grants: { account: string; amount: bigint }[] = [];
  const bonds: NodeBond[] = [];
  for (const [nodeId, { account, amount, days }] of [...news].sort(([a], [b]) => a - b)) {
    const bond = before.get(nodeId) ?? { nodeId, account, withheld: 0n, days: 0, servedIn: null };
    if (bond.servedIn !== null) {
      grants.push({ account, amount });
      continue;
    }
    const due = bond.withheld + amount;
    const total = bond.days + days;
    const isServed = total >= terms.days;
    const withheld = isServed ? 0n : smaller(due, terms.amount);
    grants.push({ account, amount: due - withheld });
    if (!isServed && withheld === bond.withheld && days === 0) continue;
    bonds.push({ nodeId, account, withheld, days: total, servedIn: isServed ? epoch : null });
  }
  return { grants: grants.filter(({ amount }) => amount > 0n), bonds };
}

const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
