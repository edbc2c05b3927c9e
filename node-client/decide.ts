import { fail, retire, type Subject, stop } from "./decideEnd.ts";
import { run, withImage } from "./decideRun.ts";
import { fencedKey, publicationKey } from "./leases.ts";
import type { Action, Container, Facts } from "./reconcileFacts.ts";
import { reportIfNeeded } from "./reporting.ts";

/**
 * Compares the leases on the chain with the containers on the engine and returns the next actions. Pure and
 * level-triggered: the result depends on the current facts alone, not on the last event, so a restarted client resumes
 * where it stopped.
 */
export function decide(facts: Facts): Action[] {
  const live = new Map(
    facts.assignments.filter((lease) => !lease.ended).map((lease) => [fencedKey(lease), lease]),
  );
  const actions: Action[] = [];
  const containerOf = new Map<string, Container>();
  for (const container of facts.containers) {
    const key = fencedKey(container);
    if (live.has(key) && !containerOf.has(key)) containerOf.set(key, container);
    else actions.push(...retire(container, "no_lease"));
  }
  const takenGpus = new Set(facts.containers.flatMap((container) => container.gpuUuids));
  const leasedGpus = new Set([...containerOf.values()].flatMap((container) => container.gpuUuids));
  for (const [key, lease] of live) {
    const container = containerOf.get(key);
    actions.push(...forLease(facts, { key, lease, container, takenGpus, leasedGpus }));
  }
  return actions;
}

function forLease(facts: Facts, subject: Subject): Action[] {
  const { lease, container } = subject;
  if (lease.desired === "delete") {
    return container ? retire(container, "deleted") : reportIfNeeded(facts, lease, "deleted");
  }
  const plan = facts.plans.get(publicationKey(lease));
  if (plan === undefined) return [{ type: "load", lease }];
  if (plan.type === "unrunnable") return fail(facts, subject, plan.reason);
  switch (lease.desired) {
    case "stop":
      if (container?.status === "running") return [stop(container, "ordered")];
      return [...reportIfNeeded(facts, lease, "stopped"), ...dropUnpaid(facts, subject)];
    case "hold":
      return container?.status === "running"
        ? [stop(container, "on_hold")]
        : withImage(facts, subject, plan, () => []);
    case "run":
      return run(facts, subject, plan);
  }
}

/** Milliseconds after which a stopped container that nobody pays for is removed: the chain then has no use for its lease. */
const unpaidGrace = 60_000;

/** Removes a stopped container that the lock of its lease no longer pays for. An order to run creates another. */
function dropUnpaid({ now }: Facts, { lease, container }: Subject): Action[] {
  const isKept = now < lease.keptUntil * 1_000 + unpaidGrace;
  return container === undefined || isKept ? [] : retire(container, "unpaid");
}
