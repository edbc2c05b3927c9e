/**
 * How one epoch's emission is shared. Pure, with integers only, so that anyone with the chain's data computes the same result:
 *
 *   units(node)  = GPUs × MiB of one GPU × 4 + thousandths of a core + MiB of memory ÷ 4
 *   weight(node) = units × slots present, for a node with a valid measurement that reached it at a mapped port
 *   share(node)  = emission × weight ÷ Σ weight, rounded down
 *
 * An account receives at most a quarter of the emission, or 1 ÷ accounts if there are fewer than four. The excess is not granted.
 */
export type NodeFacts = {
  nodeId: number;
  /** The account that receives the reward: the wallet bound at the end of the epoch, or else the node's key. */
  account: string;
  gpus: number;
  vramMib: number;
  cpuMilli: number;
  memoryMib: number;
  /** Slots of the epoch in which the node was present. */
  slotsPresent: number;
  /** Number of ports reached by the latest valid measurement; null without one. */
  portsReachable: number | null;
};

export type NodeShare = { nodeId: number; account: string; units: bigint; weight: bigint; amount: bigint };

/** Every node's share of the emission, in token units (1e-18), capped by account. */
export function shareEmission(nodes: NodeFacts[], emission: bigint): NodeShare[] {
  const weighed = nodes
    .map((node) => ({
      nodeId: node.nodeId,
      account: node.account,
      units: unitsOf(node),
      weight: weightOf(node),
    }))
    .filter((node) => node.weight > 0n)
    .sort((a, b) => a.nodeId - b.nodeId);
  const sum = weighed.reduce((total, node) => total + node.weight, 0n);
  const raw = weighed.map((node) => ({ ...node, amount: (emission * node.weight) / sum }));
  return capAccounts(raw, emission);
}

function unitsOf(node: NodeFacts): bigint {
  return BigInt(node.gpus * node.vramMib * 4 + node.cpuMilli + Math.floor(node.memoryMib / 4));
}

function weightOf(node: NodeFacts): bigint {
  const reached = node.portsReachable !== null && node.portsReachable > 0;
  return reached ? unitsOf(node) * BigInt(node.slotsPresent) : 0n;
}

function capAccounts(shares: NodeShare[], emission: bigint): NodeShare[] {
  const byAccount = new Map<string, bigint>();
  for (const share of shares)
    byAccount.set(share.account, (byAccount.get(share.account) ?? 0n) + share.amount);
  const cap = emission / BigInt(Math.max(1, Math.min(4, byAccount.size)));
  return shares.map((share) => {
    const total = byAccount.get(share.account) ?? 0n;
    return total > cap ? { ...share, amount: (share.amount * cap) / total } : share;
  });
}
