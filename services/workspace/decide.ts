import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";

/** A held lease: assigned to a node and not released. */
export type HeldLease = {
  replica: number;
  lease: number;
  state: AssignmentState;
  desired: Desired;
  /** Unix seconds of the block of the current state and order, of the lease's closure in escrow, or since when it is overdue. */
  since: number;
  /** Earliest release of a lost exclusive lease, Unix seconds; null: no restriction. */
  releasableAt: number | null;
  /** False when escrow has closed the lease for lack of funds or authorization. */
  funded: boolean;
  /** Whether anyone may end it: it does not run in time, its node does not confirm its end, or its lock is spent. */
  overdue: boolean;
  /** Why the replica must be reassigned: its image or configuration is outdated, or its node is in maintenance. */
  retire: "outdated" | "draining" | null;
  /** Start of the unsettled time on the escrow clock, Unix seconds; null: a settlement changes nothing now. */
  owesFrom: number | null;
  /** Whether its rate ended by an order to stop: until it is settled, the account's debt counts the time since. */
  rateEnded: boolean;
};

/** The funds of a workspace, in token units (1e-18). */
export type Funds = {
  /** The owner's deposits and refunds minus withdrawals, settlements and the locks of leases; debts are not deducted. */
  balance: bigint;
  /** Owed now by all running leases of the owner. */
  owedByOwner: bigint;
  /** Remaining total of the authorization without the locks of leases; null: published without one. */
  remaining: bigint | null;
  /** Owed now by the running leases under this authorization. */
  owedByAuthorization: bigint;
  /** Expiry of the authorization, Unix seconds; null: no authorization. */
  expiry: number | null;
};

/** The state of one workspace at one block. */
export type Facts = {
  workspaceId: bigint;
  /** Unix seconds of the newest exported block, which approximates the clock of the contracts. */
  now: number;
  open: boolean;
  replicas: number;
  /** Unix seconds, 0 for never. */
  expiresAt: number;
  leases: HeldLease[];
  /** Replicas below `replicas` without a lease, with the start of that state in Unix seconds. */
  missing: { replica: number; since: number }[];
  /** Maximum replicas that may be down at the same time during a replacement. */
  maxDown: number;
  /** The owner stopped the workspace. */
  stopped: boolean;
  funds: Funds;
  /** Keys (`stepKey`) of steps that were sent but are not visible yet, or that wait for their retry. */
  inProgress: ReadonlySet<string>;
};

export type LeaseStepType = "start" | "stop" | "delete" | "release" | "settle";

/** A step to execute; all steps are safe to repeat. */
export type Step =
  /** Queue the workspace for dispense, because replicas have no lease. */
  | { type: "place" }
  /** Close an expired workspace. */
  | { type: "close" }
  | { type: Exclude<LeaseStepType, "settle">; replica: number; lease: number }
  /** Settle the debt of the lease since `from`. Later debts are a separate step. */
  | { type: "settle"; replica: number; lease: number; from: number };

/** The identity of a step: the same for all instances and retries. */
export function stepKey(workspaceId: bigint, step: Step): string {
  const prefix = `${step.type}:${workspaceId}`;
  const named = "lease" in step ? `${prefix}/${step.replica}/${step.lease}` : prefix;
  return step.type === "settle" ? `${named}@${step.from}` : named;
}

/**
 * Decides the next steps that move a workspace to the state its owner ordered. An empty list: nothing to do.
 * A start is ordered when the image is on the node. Dispense already orders it with the assignment, so this applies only to
 * leases that were assigned as held. The replicas of a stopped workspace are not placed.
 */
export function decide(facts: Facts): Step[] {
  const steps: Step[] = [];
  const retiring = new Set(retireNow(facts));
  if (facts.open && isExpired(facts)) steps.push({ type: "close" });
  for (const lease of facts.leases) {
    const { replica, lease: leaseNumber } = lease;
    if (lease.owesFrom !== null && lease.funded && (lease.rateEnded || debtIsDue(facts))) {
      steps.push({ type: "settle", replica, lease: leaseNumber, from: lease.owesFrom });
    }
    const type = leaseStep(facts, lease) ?? (retiring.has(lease) ? "delete" : undefined);
    if (type !== undefined) steps.push({ type, replica, lease: leaseNumber });
  }
  if (facts.open && !isExpired(facts) && wantedMissing(facts).length > 0) steps.push({ type: "place" });
  return steps.filter((step) => !facts.inProgress.has(stepKey(facts.workspaceId, step)));
}

function leaseStep(facts: Facts, lease: HeldLease): Exclude<LeaseStepType, "settle"> | undefined {
  if (isOver(facts, lease)) return isReleasable(facts, lease) ? "release" : undefined;
  if (lease.desired === "delete") return undefined;
  if (!facts.open || lease.replica >= facts.replicas) return "delete";
  if (facts.stopped) return lease.desired === "run" ? "stop" : undefined;
  if (lease.desired === "stop") return "start";
  return lease.desired === "hold" && lease.state === "ready" ? "start" : undefined;
}

/** The replicas to place: those of a stopped workspace get a lease only after its start. */
function wantedMissing({ missing, stopped }: Facts): Facts["missing"] {
  return stopped ? [] : missing;
}

/**
 * Leases to delete so that their replicas are reassigned. Replicas that do not serve are deleted immediately, serving ones only
 * while at most `maxDown` replicas are down. A deleted replica counts as down until its successor runs.
 */
function retireNow(facts: Facts): HeldLease[] {
  if (!facts.open || isExpired(facts)) return [];
  const wanted = facts.leases.filter(
    (lease) => lease.replica < facts.replicas && lease.funded && !lease.overdue,
  );
  const isDeleting = (lease: HeldLease) =>
    lease.desired === "delete" ||
    facts.inProgress.has(
      stepKey(facts.workspaceId, { type: "delete", replica: lease.replica, lease: lease.lease }),
    );
  const serves = (lease: HeldLease) => lease.state === "running" && !isDeleting(lease);
  const retiring = wanted.filter((lease) => lease.retire !== null && !isDeleting(lease));
  const down =
    wantedMissing(facts).length + (facts.stopped ? 0 : wanted.filter((lease) => !serves(lease)).length);
  const available = Math.max(0, facts.maxDown - down);
  return [...retiring.filter((lease) => !serves(lease)), ...retiring.filter(serves).slice(0, available)];
}

/** Whether anyone may release the lease, once its grace has passed. */
function isOver(facts: Facts, { funded, overdue }: HeldLease): boolean {
  return !funded || overdue || isExpired(facts);
}

function isReleasable({ now }: Facts, { releasableAt }: HeldLease): boolean {
  return releasableAt === null || now >= releasableAt;
}

function isExpired(facts: Facts): boolean {
  return facts.expiresAt !== 0 && facts.now > facts.expiresAt;
}

/** Escrow settles lazily, so a settlement is due when the debt reaches the available funds or the authorization expires. */
function debtIsDue({ funds, now }: Facts): boolean {
  if (funds.owedByOwner >= funds.balance) return true;
  if (funds.remaining !== null && funds.owedByAuthorization >= funds.remaining) return true;
  return funds.expiry !== null && now >= funds.expiry;
}

/** Seconds after which each phase of a replica counts as stuck. */
export type Deadlines = Record<"place" | "distribute" | "start" | "stop" | "delete" | "release", number>;

export type StuckStep = { name: keyof Deadlines; replica: number; lease: number | null; seconds: number };

/** Phases that have exceeded their deadline. */
export function findStuck(facts: Facts, deadlines: Deadlines): StuckStep[] {
  const waiting: StuckStep[] = [];
  if (facts.open && !isExpired(facts)) {
    for (const { replica, since } of wantedMissing(facts))
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
  if (isOver(facts, lease)) return isReleasable(facts, lease) ? "release" : undefined;
  if (desired === "delete") return "delete";
  if (desired === "stop") return state === "running" ? "stop" : undefined;
  if (state === "assigned") return "distribute";
  return desired === "run" && state !== "running" ? "start" : undefined;
}
