import type { AssignmentState, NodeStatus, Policy } from "@ngpu/contracts-sdk/enumNames";
import type { Signal } from "../sessions/absenceStore.ts";

/** Capacity of nodes. */
type Capacity = { gpus: number; cpuMilli: number };

/** Weight of a node's loss: the capacity that it declares, and the part of it that leases use. */
export type Weight = Capacity & { used: Capacity };

/** A node without contact. */
export type UnreachableNode = Weight & {
  nodeId: number;
  status: NodeStatus;
  signal: Signal;
  /** Time since the last contact, ms. */
  unreachableMs: number;
  /** The node has a valid measurement. Only proven capacity counts for the share, unless no node has any. */
  proven: boolean;
};

/** All nodes that are online on the chain, reachable or not. */
export type Online = Record<"all" | "proven", Weight & { nodes: number }>;

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
  /** Time without contact after which a node is lost, ms. */
  lossMs: number;
  /** Largest share of the online capacity that may be lost at the same time. */
  share: number;
  /** Number of nodes that may be lost at the same time regardless of their share. */
  floor: number;
  /** Time without contact after which a node is marked offline, ms. */
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
  /** Too much capacity is missing at the same time: match itself may be disconnected. */
  | { type: "suspect"; missing: number[]; share: number }
  | { type: "act"; release: HeldLease[]; offline: number[] };

/**
 * Decides which leases to release and which nodes to mark offline. An available lease is released immediately. An exclusive
 * lease is marked lost first, and released when the contract allows it. Nothing happens while too much of the online capacity
 * is missing. In a small market one node is a large share: up to `floor` nodes may be lost in any case, but never all.
 */
export function decideLosses({ chainTime, unreachable, online, leases, limits }: LossFacts): LossDecision {
  const lost = new Set(
    unreachable.filter((node) => node.unreachableMs >= limits.lossMs).map((node) => node.nodeId),
  );
  const missing = unreachable.filter((node) => lost.has(node.nodeId) && node.status === "online");
  const share = shareOf(missing, online);
  const isTooMuch = share > limits.share && missing.length > limits.floor;
  if (missing.length > 0 && (isTooMuch || missing.length >= online.all.nodes)) {
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

/**
 * The missing share of the capacity that leases use, or of the capacity that nodes declare, whichever is larger. What is declared counts
 * at most as the missing share of nodes: a few nodes that declare much and serve nothing are no large share.
 */
function shareOf(missing: readonly UnreachableNode[], { all, proven }: Online): number {
  const anyProven = proven.gpus + proven.cpuMilli > 0;
  const total = anyProven ? proven : all;
  const counted = missing.filter((node) => !anyProven || node.proven);
  const used = capacityShare(
    counted.map((node) => node.used),
    total.used,
  );
  return Math.max(used, Math.min(capacityShare(counted, total), portion(counted.length, total.nodes)));
}

/** The share of GPUs or of cores, whichever is larger. */
function capacityShare(parts: readonly Capacity[], total: Capacity): number {
  const shares = (["gpus", "cpuMilli"] as const).map((kind) =>
    portion(
      parts.reduce((sum, part) => sum + part[kind], 0),
      total[kind],
    ),
  );
  return Math.max(...shares);
}

function portion(part: number, total: number): number {
  return total === 0 ? 0 : Math.min(1, part / total);
}
