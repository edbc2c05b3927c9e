import type { AssignmentState, NodeStatus, Policy } from "../shared/chain/names.ts";

/** A node as losses see it. Times are milliseconds of one clock. */
export type WatchedNode = {
  nodeId: number;
  status: NodeStatus;
  /** Its weight among all: GPUs, and thousandths of cores. */
  gpus: number;
  cpuMilli: number;
  /** Measured and valid: only proven capacity counts for the share, unless nobody has any. */
  proven: boolean;
  /** Since when it is without a session; null: it has one. */
  absentSince: number | null;
};

export type HeldLease = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  state: AssignmentState;
  policy: Policy;
  /** Unix seconds from which an exclusive lease marked lost can be released; null: not marked. */
  lostUntil: number | null;
};

export type LossFacts = {
  now: number;
  /** Unix seconds of the newest exported block. */
  chainTime: number;
  nodes: readonly WatchedNode[];
  leases: readonly HeldLease[];
  limits: { lossMs: number; share: number; offlineMs: number };
};

export type LossDecision =
  /** More than the share is missing at once: it is we who may be cut off. */
  | { type: "suspect"; missing: number[]; share: number }
  | { type: "act"; release: HeldLease[]; offline: number[] };

/**
 * What to do about nodes that stopped answering. An available lease is released at once, an exclusive one is marked lost
 * first and released when the contract allows it. Nothing is done while too much of the capacity online is missing.
 */
export function decideLosses(facts: LossFacts): LossDecision {
  const { now, limits } = facts;
  const absentFor = (node: WatchedNode) => (node.absentSince === null ? -1 : now - node.absentSince);
  const lost = new Set(facts.nodes.filter((node) => absentFor(node) >= limits.lossMs).map((n) => n.nodeId));
  const online = facts.nodes.filter((node) => node.status === "online");
  const missing = online.filter((node) => lost.has(node.nodeId));
  const share = shareOf(missing, online);
  if (missing.length > 0 && share > limits.share) {
    return { type: "suspect", missing: missing.map((node) => node.nodeId), share };
  }
  const release = facts.leases.filter((lease) => lost.has(lease.nodeId) && isDue(lease, facts.chainTime));
  const offline = missing.filter((node) => absentFor(node) >= limits.offlineMs).map((node) => node.nodeId);
  return { type: "act", release, offline };
}

function isDue(lease: HeldLease, chainTime: number): boolean {
  if (lease.policy === "available") return true;
  return lease.lostUntil === null || chainTime >= lease.lostUntil;
}

/** The larger of the shares of GPUs and of cores that are missing. */
function shareOf(missing: readonly WatchedNode[], online: readonly WatchedNode[]): number {
  const proven = online.some((node) => node.proven);
  const sum = (nodes: readonly WatchedNode[], weight: "gpus" | "cpuMilli") =>
    nodes.reduce((total, node) => total + (proven && !node.proven ? 0 : node[weight]), 0);
  const shares = (["gpus", "cpuMilli"] as const).map((weight) => {
    const all = sum(online, weight);
    return all === 0 ? 0 : sum(missing, weight) / all;
  });
  return Math.max(...shares);
}
