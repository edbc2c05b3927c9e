import type { AssignmentState, NodeStatus, Policy } from "@ngpu/contracts-sdk/enumNames";
import type { Signal } from "../sessions/absenceStore.ts";

/** What a node weighs among all. */
export type Weight = { gpus: number; cpuMilli: number };

/** A node that is missed. */
export type UnreachableNode = Weight & {
  nodeId: number;
  status: NodeStatus;
  signal: Signal;
  /** For how long it has not been heard, in ms. */
  unreachableMs: number;
  /** Measured and valid: only proven capacity counts for the share, unless nobody has any. */
  proven: boolean;
};

/** All nodes that are online on the chain, missed or not. */
export type Online = { nodes: number; all: Weight; proven: Weight };

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

export type LossLimits = {
  /** Away for so long a node is lost. */
  lossMs: number;
  /** Share of the capacity online that may be lost at once. */
  share: number;
  /** So many nodes may be lost at once whatever their share. */
  floor: number;
  /** Away for so long a node is marked offline. */
  offlineMs: number;
};

export type LossFacts = {
  /** Unix seconds of the newest exported block. */
  chainTime: number;
  unreachable: readonly UnreachableNode[];
  online: Online;
  leases: readonly HeldLease[];
  limits: LossLimits;
};

export type LossDecision =
  /** More than the share is missing at once: it is we who may be cut off. */
  | { type: "suspect"; missing: number[]; share: number }
  | { type: "act"; release: HeldLease[]; offline: number[] };

/**
 * What to do about nodes that stopped answering. An available lease is released at once, an exclusive one is marked lost
 * first and released when the contract allows it. Nothing is done while too much of the capacity online is missing: in a small
 * market a single node is a large share, so a few may go in any case, but never the last.
 */
export function decideLosses({ chainTime, unreachable, online, leases, limits }: LossFacts): LossDecision {
  const lost = new Set(
    unreachable.filter((node) => node.unreachableMs >= limits.lossMs).map((node) => node.nodeId),
  );
  const missing = unreachable.filter((node) => lost.has(node.nodeId) && node.status === "online");
  const share = shareOf(missing, online);
  const isMuch = share > limits.share && missing.length > limits.floor;
  if (missing.length > 0 && (isMuch || missing.length >= online.nodes)) {
    return { type: "suspect", missing: missing.map((node) => node.nodeId), share };
  }
  const release = leases.filter((lease) => lost.has(lease.nodeId) && isDue(lease, chainTime));
  const offline = missing.filter((node) => node.unreachableMs >= limits.offlineMs).map((node) => node.nodeId);
  return { type: "act", release, offline };
}

function isDue(lease: HeldLease, chainTime: number): boolean {
  if (lease.policy === "available") return true;
  return lease.lostUntil === null || chainTime >= lease.lostUntil;
}

/** The larger of the shares of GPUs and of cores that are missing. */
function shareOf(missing: readonly UnreachableNode[], { all, proven }: Online): number {
  const anyProven = proven.gpus + proven.cpuMilli > 0;
  const total = anyProven ? proven : all;
  const counted = missing.filter((node) => !anyProven || node.proven);
  const shares = (["gpus", "cpuMilli"] as const).map((weight) => {
    const gone = counted.reduce((sum, node) => sum + node[weight], 0);
    return total[weight] === 0 ? 0 : Math.min(1, gone / total[weight]);
  });
  return Math.max(...shares);
}
