import { messageBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import type { NodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { elapsed } from "../elapsed.ts";
import { type Assignment, fencedKey, publicationKey } from "../leases.ts";
import type { Container, Facts, FailedStart, HealthFailure, Plan } from "../reconcileFacts.ts";
import { freeGpus } from "../reporting.ts";
import { partnerText } from "./partnerText.ts";

type Runnable = Extract<Plan, { type: "runnable" }>;

/**
 * What the facts say of a lease. `occurrence` names one occurrence, so that each is counted once. `ended` and `unhealthy` lack the
 * container's output, which is read from the engine.
 */
export type Observed =
  | { type: "runs" }
  | { type: "reason"; reason: NodeReason; occurrence: string }
  | { type: "start_failed"; said: string; exitCode: number | undefined; plan: Runnable; occurrence: string }
  | {
      type: "ended";
      container: Container;
      plan: Runnable;
      starts: number;
      /** Milliseconds: no output of this run is older. */
      since: number;
      occurrence: string;
    }
  | { type: "unhealthy"; container: Container; plan: Runnable; failure: HealthFailure; occurrence: string };

/** Milliseconds after a container's start in which a failing health path is part of the start. */
const startPeriod = { answered: 3_000, silent: 10_000 };

/**
 * Why a lease that is to run does not run; undefined when nothing new is known, as while its image downloads, so that the last
 * reason remains. Pure.
 */
export function observe(
  facts: Facts,
  lease: Assignment,
  failedStart: FailedStart | undefined,
): Observed | undefined {
  if (lease.ended || lease.desired === "stop" || lease.desired === "delete") return undefined;
  const plan = facts.plans.get(publicationKey(lease));
  if (plan === undefined) return undefined;
  if (plan.type === "unrunnable") {
    const message = startOf(plan.reason, messageBytes);
    return {
      type: "reason",
      reason: { code: "config_invalid", details: { message } },
      occurrence: plan.reason,
    };
  }
  const key = fencedKey(lease);
  const container = facts.containers.find((one) => fencedKey(one) === key);
  if (container?.status === "running") return ofRunning(facts, plan, container);
  const image = facts.images.get(plan.reference);
  if (image?.type === "absent") {
    if (image.cause === undefined) return undefined;
    return { type: "reason", reason: image.cause, occurrence: String(image.failures) };
  }
  if (lease.desired === "hold") return undefined;
  if (failedStart !== undefined) {
    const { said, at, isUnprotected, reason } = failedStart;
    // It is found again at every attempt: that is one occurrence.
    if (reason !== undefined) return { type: "reason", reason, occurrence: JSON.stringify(reason.details) };
    if (isUnprotected) {
      const message = startOf(partnerText(said), messageBytes);
      return {
        type: "reason",
        reason: { code: "isolation_unavailable", details: { message } },
        occurrence: String(at),
      };
    }
    return { type: "start_failed", said, exitCode: container?.exitCode, plan, occurrence: String(at) };
  }
  if (container !== undefined) return ofStopped(facts, lease, plan, container);
  if (freeGpus(facts.gpuUuids, leasedGpusOf(facts), plan.gpus) !== undefined) return undefined;
  return { type: "reason", reason: { code: "gpu_lost", details: {} }, occurrence: "" };
}

/** The GPUs of the containers of live leases. */
function leasedGpusOf({ assignments, containers }: Facts): Set<string> {
  const live = new Set(assignments.filter(({ ended }) => !ended).map(fencedKey));
  return new Set(containers.filter((one) => live.has(fencedKey(one))).flatMap((one) => one.gpuUuids));
}

function ofRunning(facts: Facts, plan: Runnable, container: Container): Observed | undefined {
  const health = facts.health.get(container.id);
  if (health === undefined) return undefined;
  if (health.ok) return { type: "runs" };
  const { failure = {}, everOk, checkedAt } = health;
  const waited = elapsed(checkedAt, container.startedAt);
  const period = failure.status === undefined ? startPeriod.silent : startPeriod.answered;
  if (!everOk && waited < period) return undefined;
  return { type: "unhealthy", container, plan, failure, occurrence: runOf(container) };
}

function ofStopped(
  facts: Facts,
  lease: Assignment,
  plan: Runnable,
  container: Container,
): Observed | undefined {
  const run = facts.runs.get(fencedKey(lease));
  // Without a run under this order the client stopped the container itself.
  if (run === undefined || run.order !== lease.order || container.status === "removing") return undefined;
  const { starts } = run;
  const occurrence = `${runOf(container)}:${starts}`;
  if (container.error !== "") {
    return { type: "start_failed", said: container.error, exitCode: container.exitCode, plan, occurrence };
  }
  if (container.status !== "exited") return undefined;
  // A program can print and end before the engine notes that it has started.
  const since = Math.min(container.startedAt, run.lastStart);
  return { type: "ended", container, plan, starts, since, occurrence };
}

const runOf = ({ id, startedAt }: Container) => `${id}:${startedAt}`;
