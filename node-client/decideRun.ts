import { fail, retire, type Subject, stop } from "./decideEnd.ts";
import { elapsed } from "./elapsed.ts";
import type { Run } from "./journal/runs.ts";
import { type Assignment, fencedKey } from "./leases.ts";
import type { Action, Container, Facts, Health, Plan } from "./reconcileFacts.ts";
import {
  freeGpus,
  hasPendingReport,
  portsDetail,
  progressIfNeeded,
  reasonDetail,
  reportIfNeeded,
} from "./reporting.ts";

/** Times in milliseconds. */
const limits = {
  /** Starts under one order to run before the lease is reported as failed. */
  maxStarts: 5,
  /** A run of this length resets the count of starts. */
  stableAfter: 600_000,
  /** Longest pause between a crash and the next start. */
  maxBackoff: 60_000,
  /** @deadline The first 2xx response of a container's health path since its start. The lease is reported as failed. */
  startTimeout: 900_000,
  /** A container that takes longer to become healthy is first reported as ready. */
  quickStart: 3_000,
};

/** Milliseconds between two checks of a container's health: before its first 2xx, while it is healthy, and once it no longer is. */
export const healthPauses = { startPause: 500, healthyPause: 10_000, failingPause: 2_000 };

/** Longest pause between two pulls of an image, in milliseconds. */
export const longestPullPause = 60_000;

type Runnable = Extract<Plan, { type: "runnable" }>;

/** The next steps of a lease that is to run. */
export function run(facts: Facts, subject: Subject, plan: Runnable): Action[] {
  const { lease, container } = subject;
  const isOutOfContact = facts.now - facts.lastContactAt >= plan.graceSeconds * 1000;
  if (plan.policy === "exclusive" && isOutOfContact) {
    return container?.status === "running" ? [stop(container, "contact_lost")] : [];
  }
  // Its start fails until the walls are up again; after some starts the market replaces the replica.
  if (container?.status === "running" && facts.isExposed) return [stop(container, "exposed")];
  if (container?.status === "running") return watch(facts, subject, plan, container);
  return withImage(facts, subject, plan, () => {
    if (container === undefined) return create(facts, subject, plan);
    return container.status === "removing" ? [] : startAgain(facts, lease, container);
  });
}

/** Pulls the image first. Reports it once it is present. */
export function withImage(facts: Facts, subject: Subject, plan: Runnable, then: () => Action[]): Action[] {
  const { lease } = subject;
  const image = facts.images.get(plan.reference);
  if (image === undefined) return [{ type: "inspect", reference: plan.reference }];
  if (image.type === "present") {
    const next = then();
    // A lease that is to run reports `running` once it runs: a `ready` report before it would cost a block.
    const isReady = (lease.state === "assigned" || lease.state === "failed") && lease.desired === "hold";
    // `ready` is the first report of a lease or none: after a later report it would revert that state.
    const ready = isReady && !hasPendingReport(facts, lease) && !next.some(({ type }) => type === "report");
    return [
      ...progressIfNeeded(facts, lease, "verified"),
      ...(ready ? reportIfNeeded(facts, lease, "ready") : []),
      ...next,
    ];
  }
  if (image.permanent) return fail(facts, subject, image.reason ?? "image_unavailable");
  const said = [...progressIfNeeded(facts, lease, "accepted"), ...sayLate(facts, lease)];
  const wait = image.retryAt - facts.now;
  if (wait > 0 && wait <= longestPullPause) return said;
  return [...said, { type: "pull", lease, reference: plan.reference, sizeBytes: plan.sizeBytes }];
}

/** The part of the time to start, after which a lease whose image is not there is reported as failed. */
const latePart = 0.9;

/**
 * An image that does not arrive in time, as a report: of a lease of which its node reported nothing, the chain concludes at the
 * deadline that the node failed. The pull goes on.
 */
function sayLate(facts: Facts, lease: Assignment): Action[] {
  const begun = facts.progress.get(fencedKey(lease))?.at;
  if (begun === undefined || lease.state !== "assigned") return [];
  const isLate = elapsed(facts.now, begun) >= facts.startSeconds * 1_000 * latePart;
  return isLate ? reportIfNeeded(facts, lease, "failed", reasonDetail("image_late")) : [];
}

function create(facts: Facts, { lease, takenGpus, leasedGpus }: Subject, plan: Runnable): Action[] {
  if (isExhausted(facts, lease)) return reportIfNeeded(facts, lease, "failed", reasonDetail("start_failed"));
  // The engine refused to create it before.
  const run = runOf(facts, lease);
  if (run !== undefined && elapsed(facts.now, run.lastStart) < backoffAfter(run.starts)) return [];
  const free = freeGpus(facts.gpuUuids, takenGpus, plan.gpus);
  if (free === undefined) {
    // The chain reserved these GPUs for this lease: the container that still has them is about to be removed, or a card
    // was lost.
    if (freeGpus(facts.gpuUuids, leasedGpus, plan.gpus) !== undefined) return [];
    return reportIfNeeded(facts, lease, "failed", reasonDetail("gpu_lost"));
  }
  for (const uuid of free) {
    takenGpus.add(uuid);
    leasedGpus.add(uuid);
  }
  return [{ type: "create", lease, gpuUuids: free }];
}

function startAgain(facts: Facts, lease: Assignment, container: Container): Action[] {
  // It cannot start without its card. A new container gets healthy ones, if the machine has them.
  if (container.gpuUuids.some((uuid) => facts.sickGpuIds.has(uuid))) return retire(container, "gpu_lost");
  const starts = startsOf(facts, lease, container);
  if (starts === 0) return [{ type: "start", lease, containerId: container.id, starts: 1 }];
  if (starts >= limits.maxStarts) {
    const reason = container.status === "created" ? "start_failed" : `exit_${container.exitCode}`;
    return reportIfNeeded(facts, lease, "failed", reasonDetail(reason));
  }
  const last = Math.max(container.finishedAt, facts.runs.get(fencedKey(lease))?.lastStart ?? 0);
  if (elapsed(facts.now, last) < backoffAfter(starts)) return [];
  return [{ type: "start", lease, containerId: container.id, starts: starts + 1 }];
}

/** Milliseconds from a failed start to the next one. */
const backoffAfter = (starts: number) => Math.min(limits.maxBackoff, 1_000 * 2 ** (starts - 1));

/** The starts under the current order; undefined: none. */
function runOf(facts: Facts, lease: Assignment): Run | undefined {
  const run = facts.runs.get(fencedKey(lease));
  return run?.order === lease.order ? run : undefined;
}

/** Starts so far under the current order. A stable run before the exit resets the count. */
function startsOf(facts: Facts, lease: Assignment, container: Container): number {
  const run = runOf(facts, lease);
  if (run === undefined) return 0;
  return container.finishedAt - container.startedAt >= limits.stableAfter
    ? Math.min(run.starts, 1)
    : run.starts;
}

function isExhausted(facts: Facts, lease: Assignment): boolean {
  return (runOf(facts, lease)?.starts ?? 0) >= limits.maxStarts;
}

/** Milliseconds from a check of a container's health to the next one. */
export function healthPauseOf({ ok, everOk }: Pick<Health, "ok" | "everOk">): number {
  if (!everOk) return healthPauses.startPause;
  return ok ? healthPauses.healthyPause : healthPauses.failingPause;
}

function watch(facts: Facts, subject: Subject, plan: Runnable, container: Container): Action[] {
  const { lease } = subject;
  const health = facts.health.get(container.id);
  const port = container.servedPort;
  const due = health === undefined || elapsed(facts.now, health.checkedAt) >= healthPauseOf(health);
  const check: Action[] =
    due && port !== undefined
      ? [{ type: "check", containerId: container.id, port, path: plan.config.health }]
      : [];
  if (health?.everOk) {
    return [
      ...check,
      ...reportIfNeeded(facts, lease, "running", portsDetail(plan.config.ports, container.ports)),
    ];
  }
  const waited = facts.now - container.startedAt;
  if (health !== undefined && waited > limits.startTimeout) return fail(facts, subject, "health_timeout");
  // A slow start: report at least that the image is present.
  const slow = lease.state === "assigned" && waited > limits.quickStart && !hasPendingReport(facts, lease);
  return [...check, ...(slow ? reportIfNeeded(facts, lease, "ready") : [])];
}
