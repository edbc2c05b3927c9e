import type { ReasonCode } from "@ngpu/protocol/reasons/reasons";

/** A placement request as stored in app.placement. */
export type Placement = {
  status: "requested" | "answered" | "impossible" | "used" | "refused";
  /** Unix seconds of its last change. */
  at: number;
  /** Block of the decision; null: not answered yet. */
  blockNumber: bigint | null;
  /** Block of the assignment; null: not on the chain yet. */
  assignedBlock: bigint | null;
};

/** A node that is excluded for a replica for some time. */
export type Avoided = { nodeId: number; at: number; cause: "refused" | "replaced" };

/** A replica without a lease. */
export type MissingReplica = {
  replica: number;
  /** The newest request for this replica; null: none. */
  last: Placement | null;
  /** Number of refused requests within `limits.attemptsWindow`. */
  attempts: number;
  avoided: Avoided[];
};

export type PlacementLimits = {
  /** Replicas of one workspace that are distributed concurrently; further ones wait. */
  replicas: number;
  /** Concurrent image transfers of one partner from one registry. */
  source: number;
  /** Consecutive refusals before a pause. */
  attempts: number;
  /** Seconds within which a refusal counts towards `attempts`. */
  attemptsWindow: number;
  /** Seconds before an impossible or often refused placement is requested again without a change of the fleet. */
  pause: number;
  /** Seconds for which a node is excluded after the chain refused its assignment. */
  avoidRefused: number;
  /** Seconds for which a node is excluded after it failed to run a replica. */
  avoidReplaced: number;
};

export type PlacementFacts = {
  /** Unix seconds, by the same clock as the times in `missing`. */
  now: number;
  /** False while the workspace is stopped, and once it is closed or has expired. */
  open: boolean;
  /** Newest exported block. */
  head: bigint;
  /** Newest block in which a node changed or capacity was freed. */
  fleetChanged: bigint;
  /** In ascending order. */
  missing: MissingReplica[];
  /** Number of replicas whose lease waits for its image. */
  distributing: number;
  /** Nodes that match marked as lost and that are still online on the chain. */
  lost: number[];
  /** Image transfers in progress from the same registry, for all workspaces of the same partner. */
  fromSource: number;
  limits: PlacementLimits;
};

export type PlacementStep = { type: "request"; replica: number; excluded: number[] };

/** Decides which placements to request now. Requests in progress are skipped; failed ones are repeated within the limits. */
export function decidePlacements(facts: PlacementFacts): PlacementStep[] {
  if (!facts.open) return [];
  const inProgress = facts.missing.filter((replica) => isInProgress(replica, facts.head)).length;
  const { replicas, source } = facts.limits;
  const available = Math.max(
    0,
    Math.min(replicas - facts.distributing, source - facts.fromSource) - inProgress,
  );
  return facts.missing
    .filter((replica) => !isInProgress(replica, facts.head) && canRequest(replica, facts))
    .slice(0, available)
    .map(({ replica, avoided }) => ({ type: "request", replica, excluded: excludedNodes(avoided, facts) }));
}

/** Requested, answered, or assigned in a block that is not exported yet. */
function isInProgress({ last }: MissingReplica, head: bigint): boolean {
  if (last === null) return false;
  if (last.status === "requested" || last.status === "answered") return true;
  return last.status === "used" && (last.assignedBlock === null || last.assignedBlock > head);
}

function canRequest(
  { last, attempts }: MissingReplica,
  { now, fleetChanged, limits }: PlacementFacts,
): boolean {
  if (last === null || last.status === "used") return true;
  const isPauseOver = now - last.at >= limits.pause;
  if (last.status === "refused") return attempts < limits.attempts || isPauseOver;
  // Impossible: the answer changes only with the fleet, or when an avoided node is no longer excluded.
  return isPauseOver || (last.blockNumber !== null && fleetChanged > last.blockNumber);
}

function excludedNodes(avoided: Avoided[], { now, lost, limits }: PlacementFacts): number[] {
  const nodes = avoided
    .filter(({ at, cause }) => now - at < (cause === "refused" ? limits.avoidRefused : limits.avoidReplaced))
    .map(({ nodeId }) => nodeId);
  return [...new Set([...nodes, ...lost])].sort((a, b) => a - b);
}

/** Assignment errors caused by the node, not by the workspace, its owner or its funds. */
export const nodeErrors: readonly string[] = [
  "NodeCapacityExceeded",
  "NodeUnfit",
  "PriceAboveLimit",
  "NodeNotAccepting",
  "NodeUnknown",
];

/** Errors that end with the workspace's state: its own events say why. */
const outdatedErrors: readonly string[] = [
  "ReplicaAssigned",
  "ReplicaOutOfRange",
  "WorkspaceNotOpen",
  "WorkspaceExpired",
  "WorkspaceUnknown",
  "WorkspaceSpecMismatch",
  "WorkspaceIsStopped",
];

/** What the owner of a replica is told when the chain refused its assignment; null: nothing. */
export function refusalReason(error: string): ReasonCode | null {
  if (outdatedErrors.includes(error)) return null;
  if (error === "EscrowBalanceTooLow") return "balance_too_low";
  return error.startsWith("Authorization") ? "authorization_ended" : "assignment_refused";
}
