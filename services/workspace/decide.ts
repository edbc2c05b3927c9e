import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";

/** A lease that is held: assigned to a node and not released. */
export type HeldLease = {
  replica: number;
  lease: number;
  state: AssignmentState;
  desired: Desired;
  /** Unix seconds of the block that brought the present state and wish, or closed the lease in escrow. */
  since: number;
  /** A lost exclusive lease cannot be released before this (Unix seconds); null: at once. */
  releasableAt: number | null;
  /** False once escrow closed the lease, for lack of funds or of an authorization. */
  funded: boolean;
  /** Why the replica is to be assigned anew: its image or configuration is not today's, or its node is in maintenance. */
  retire: "outdated" | "draining" | null;
  /** Unix seconds from which on it owes, by the running escrow clock, what was not settled yet; null: it owes nothing. */
  owesFrom: number | null;
};

/** What pays for the workspace, in token units (1e-18). */
export type Funds = {
  /** What the owner deposited less what was withdrawn and settled; what is owed is not yet taken off. */
  balance: bigint;
  /** Owed now by all running leases of the owner. */
  owedByOwner: bigint;
  /** What the authorization still allows; null when the owner published without one. */
  remaining: bigint | null;
  /** Owed now by the running leases under this authorization. */
  owedByAuthorization: bigint;
  /** Unix seconds after which the authorization is over; null without one. */
  expiry: number | null;
};

/** Everything known of one workspace at one block. */
export type Facts = {
  workspaceId: bigint;
  /** Unix seconds of the newest exported block: what the contracts will compare with, give or take a block. */
  now: number;
  open: boolean;
  replicas: number;
  /** Unix seconds, 0 for never. */
  expiresAt: number;
  leases: HeldLease[];
  /** Replicas below `replicas` that no lease holds, with the time since which that is so. */
  missing: { replica: number; since: number }[];
  /** Replicas that may be down at once while others are replaced. */
  maxDown: number;
  /** Replicas whose owner ordered a stop and no start after it. */
  stopped: ReadonlySet<number>;
  funds: Funds;
  /** Keys (`stepKey`) of steps that were sent and whose effect is not visible yet, or that wait before another try. */
  inProgress: ReadonlySet<string>;
};

export type LeaseStepType = "start" | "stop" | "delete" | "release" | "settle";

/** One thing to do; every one of them is safe to repeat. */
export type Step =
  /** Hand the workspace to dispense: replicas have no lease. */
  | { type: "place" }
  /** End the publication of an expired workspace. */
  | { type: "close" }
  | { type: Exclude<LeaseStepType, "settle">; replica: number; lease: number }
  /** Collect what the lease has owed since `from`. What it comes to owe afterwards is another step. */
  | { type: "settle"; replica: number; lease: number; from: number };

/** The identity of a step: the same for every instance and every try. */
export function stepKey(workspaceId: bigint, step: Step): string {
  const place = `${step.type}:${workspaceId}`;
  const named = "lease" in step ? `${place}/${step.replica}/${step.lease}` : place;
  return step.type === "settle" ? `${named}@${step.from}` : named;
}

/**
 * What brings the workspace one step closer to what its owner wants. Nothing to do is an empty list.
 * A start is ordered once the image is on the node (dispense orders it at assignment already, so this serves leases that
 * were assigned at rest); a stop that the owner ordered outlives the lease it was ordered for.
 */
export function decide(facts: Facts): Step[] {
  const steps: Step[] = [];
  const retiring = new Set(retireNow(facts));
  if (facts.open && isExpired(facts)) steps.push({ type: "close" });
  for (const lease of facts.leases) {
    const { replica, lease: number } = lease;
    if (lease.owesFrom !== null && lease.funded && debtIsDue(facts)) {
      steps.push({ type: "settle", replica, lease: number, from: lease.owesFrom });
    }
    const type = leaseStep(facts, lease) ?? (retiring.has(lease) ? "delete" : undefined);
    if (type !== undefined) steps.push({ type, replica, lease: number });
  }
  if (facts.open && !isExpired(facts) && facts.missing.length > 0) steps.push({ type: "place" });
  return steps.filter((step) => !facts.inProgress.has(stepKey(facts.workspaceId, step)));
}

function leaseStep(facts: Facts, lease: HeldLease): Exclude<LeaseStepType, "settle"> | undefined {
  if (!lease.funded || isExpired(facts)) return isReleasable(facts, lease) ? "release" : undefined;
  if (lease.desired === "delete") return undefined;
  if (!facts.open || lease.replica >= facts.replicas) return "delete";
  const wanted = facts.stopped.has(lease.replica) ? "stop" : "run";
  if (wanted === "stop" && lease.desired === "run") return "stop";
  if (wanted === "run" && lease.desired === "hold" && lease.state === "ready") return "start";
  return undefined;
}

/**
 * Leases whose replicas go to be assigned anew: those that serve nobody at once, of the others so many that no more than
 * `maxDown` replicas are down. What an earlier round deleted counts as down until its successor runs.
 */
function retireNow(facts: Facts): HeldLease[] {
  if (!facts.open || isExpired(facts)) return [];
  const wanted = facts.leases.filter((lease) => lease.replica < facts.replicas && lease.funded);
  const isGoing = (lease: HeldLease) =>
    lease.desired === "delete" ||
    facts.inProgress.has(
      stepKey(facts.workspaceId, { type: "delete", replica: lease.replica, lease: lease.lease }),
    );
  const serves = (lease: HeldLease) => lease.state === "running" && !isGoing(lease);
  const retiring = wanted.filter((lease) => lease.retire !== null && !isGoing(lease));
  const down =
    facts.missing.length +
    wanted.filter((lease) => !serves(lease) && !facts.stopped.has(lease.replica)).length;
  const room = Math.max(0, facts.maxDown - down);
  return [...retiring.filter((lease) => !serves(lease)), ...retiring.filter(serves).slice(0, room)];
}

function isReleasable({ now }: Facts, { releasableAt }: HeldLease): boolean {
  return releasableAt === null || now >= releasableAt;
}

function isExpired(facts: Facts): boolean {
  return facts.expiresAt !== 0 && facts.now > facts.expiresAt;
}

/** Settled lazily, debts are only ever collected when somebody asks: it is time when they reach what is there to pay them. */
function debtIsDue({ funds, now }: Facts): boolean {
  if (funds.owedByOwner >= funds.balance) return true;
  if (funds.remaining !== null && funds.owedByAuthorization >= funds.remaining) return true;
  return funds.expiry !== null && now >= funds.expiry;
}

/** Seconds that each phase of a replica may last before it counts as stuck. */
export type Deadlines = Record<"place" | "distribute" | "start" | "stop" | "delete" | "release", number>;

export type StuckStep = { name: keyof Deadlines; replica: number; lease: number | null; seconds: number };

/** Phases that have lasted longer than their deadline, by name. */
export function findStuck(facts: Facts, deadlines: Deadlines): StuckStep[] {
  const waiting: StuckStep[] = [];
  if (facts.open && !isExpired(facts)) {
    for (const { replica, since } of facts.missing)
      waiting.push({ name: "place", replica, lease: null, seconds: facts.now - since });
  }
  for (const lease of facts.leases) {
    const name = phaseOf(facts, lease);
    if (name === undefined) continue;
    const since = isExpired(facts) ? Math.max(lease.since, facts.expiresAt) : lease.since;
    waiting.push({ name, replica: lease.replica, lease: lease.lease, seconds: facts.now - since });
  }
  return waiting.filter((step) => step.seconds > deadlines[step.name]);
}

function phaseOf(facts: Facts, lease: HeldLease): keyof Deadlines | undefined {
  const { state, desired } = lease;
  if (!lease.funded || isExpired(facts)) return isReleasable(facts, lease) ? "release" : undefined;
  if (desired === "delete") return "delete";
  if (desired === "stop") return state === "running" ? "stop" : undefined;
  if (state === "assigned") return "distribute";
  return desired === "run" && state !== "running" ? "start" : undefined;
}
