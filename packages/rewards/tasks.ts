import type { RewardTerms } from "./terms.ts";

const basisPoints = 10_000n;

/** What a lease has paid its node, after refunds, and the task receipts for it, up to a day. Token units (1e-18). */
export type LeaseSums = { paid: bigint; receipts: bigint };

/**
 * A lease whose days were counted further in this epoch. A day counts once it can no longer be refunded and the fee of its
 * payment was burned.
 */
export type LeaseFacts = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  /** The accounts of the node and of the payer. */
  node: string;
  payer: string;
  feeBasisPoints: number;
  /** Up to the days counted by earlier epochs, and up to those counted now. */
  before: LeaseSums;
  now: LeaseSums;
};

export type TaskShare = LeaseFacts & { incentive: bigint; nodeAmount: bigint; payerAmount: bigint };

/**
 * The incentive that a lease has earned so far: φ = (paid + receipts) · fee ÷ (2 · 10⁴), where receipts count up to `paid`.
 * It is at most the fee that this lease burned.
 */
export function incentiveOf({ paid, receipts }: LeaseSums, feeBasisPoints: number): bigint {
  const used = paid <= 0n ? 0n : paid + (receipts < paid ? receipts : paid);
  return (used * BigInt(feeBasisPoints)) / (2n * basisPoints);
}

/**
 * Grants the task incentives of an epoch: of each lease's new φ, the node and the payer get their parts. If all of them
 * exceed `limit`, each is reduced in proportion.
 */
export function shareTasks(leases: readonly LeaseFacts[], limit: bigint, terms: RewardTerms): TaskShare[] {
  const earned = leases.map((lease) => {
    const more =
      incentiveOf(lease.now, lease.feeBasisPoints) - incentiveOf(lease.before, lease.feeBasisPoints);
    return { ...lease, incentive: more > 0n ? more : 0n };
  });
  const sum = earned.reduce((total, { incentive }) => total + incentive, 0n);
  const [nodePart, payerPart] = [BigInt(terms.nodeTaskBasisPoints), BigInt(terms.payerTaskBasisPoints)];
  const wanted = (sum * (nodePart + payerPart)) / basisPoints;
  const reduced = (amount: bigint) => (wanted <= limit ? amount : (amount * limit) / wanted);
  return earned
    .filter(({ incentive }) => incentive > 0n)
    .map((lease) => ({
      ...lease,
      nodeAmount: reduced((lease.incentive * nodePart) / basisPoints),
      payerAmount: reduced((lease.incentive * payerPart) / basisPoints),
    }))
    .sort(byLease);
}

function byLease(a: TaskShare, b: TaskShare): number {
  if (a.workspaceId !== b.workspaceId) return a.workspaceId < b.workspaceId ? -1 : 1;
  return a.replica - b.replica || a.lease - b.lease;
}
