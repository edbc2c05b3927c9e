/** A placement request as app.placement keeps it. */
export type Placement = {
  status: "requested" | "answered" | "impossible" | "used" | "refused";
  /** Unix seconds of its last change. */
  at: number;
  /** Block whose state the answer rests on; null before the answer. */
  blockNumber: bigint | null;
  /** Block of the assignment, once it is on the chain. */
  assignedBlock: bigint | null;
};

/** A node that a replica should not go to again for a while. */
export type Avoided = { nodeId: number; at: number; cause: "refused" | "replaced" };

/** A replica that no lease holds. */
export type MissingReplica = {
  replica: number;
  /** The newest request for this replica, null when there was none. */
  last: Placement | null;
  /** Refused requests within `limits.attemptsWindow`. */
  attempts: number;
  avoided: Avoided[];
};

export type PlacementLimits = {
  /** Replicas of one workspace that are being distributed at once; the rest follow in waves. */
  wave: number;
  /** Leases that bring images from one source at once. */
  source: number;
  /** Refusals in a row before a pause. */
  attempts: number;
  /** Seconds within which refusals count towards `attempts`. */
  attemptsWindow: number;
  /** Seconds before an impossible request, or one with too many refusals, is asked again without a change of the fleet. */
  pause: number;
  /** Seconds for which a node whose assignment the chain refused is left out. */
  avoidRefused: number;
  /** Seconds for which a node that failed to get a replica running is left out. */
  avoidReplaced: number;
};

export type PlacementFacts = {
  /** Unix seconds, of the same clock as the times in `missing`. */
  now: number;
  /** False once the workspace is closed or has expired. */
  open: boolean;
  /** Newest exported block. */
  head: bigint;
  /** Newest block at which a node changed or capacity became free. */
  fleetChanged: bigint;
  /** Ascending. */
  missing: MissingReplica[];
  /** Replicas whose lease still waits for its image. */
  distributing: number;
  /** Nodes that match took for lost and the chain still has online. */
  lost: number[];
  /** Leases of all workspaces that bring an image from the same source now. */
  fromSource: number;
  limits: PlacementLimits;
};

export type PlacementStep = { type: "request"; replica: number; excluded: number[] };

/** Which replicas to ask nodes for now. One under way is left alone, one that came to nothing is asked again within limits. */
export function decidePlacements(facts: PlacementFacts): PlacementStep[] {
  if (!facts.open) return [];
  const inProgress = facts.missing.filter((replica) => isInProgress(replica, facts.head)).length;
  const { wave, source } = facts.limits;
  const room = Math.max(0, Math.min(wave - facts.distributing, source - facts.fromSource) - inProgress);
  return facts.missing
    .filter((replica) => !isInProgress(replica, facts.head) && canRequest(replica, facts))
    .slice(0, room)
    .map(({ replica, avoided }) => ({ type: "request", replica, excluded: excludedNodes(avoided, facts) }));
}

/** Asked for, answered, or assigned in a block that is not exported yet. */
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
  const rested = now - last.at >= limits.pause;
  if (last.status === "refused") return attempts < limits.attempts || rested;
  // Impossible: at the same state of the fleet the answer is the same, but that avoided nodes return with time.
  return rested || (last.blockNumber !== null && fleetChanged > last.blockNumber);
}

function excludedNodes(avoided: Avoided[], { now, lost, limits }: PlacementFacts): number[] {
  const nodes = avoided
    .filter(({ at, cause }) => now - at < (cause === "refused" ? limits.avoidRefused : limits.avoidReplaced))
    .map(({ nodeId }) => nodeId);
  return [...new Set([...nodes, ...lost])].sort((a, b) => a - b);
}

/** Errors of an assignment that speak of the node rather than of the workspace, its owner or its funds. */
export const nodeErrors: readonly string[] = [
  "NodeCapacityExceeded",
  "NodeUnfit",
  "PriceAboveLimit",
  "NodeNotAccepting",
  "NodeUnknown",
];
