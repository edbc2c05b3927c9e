import { setTimeout as sleep } from "node:timers/promises";
import { act, subjectOf } from "./act.ts";
import type { ActDependencies } from "./actions.ts";
import type { ChainView } from "./chainView.ts";
import { decide } from "./decide.ts";
import {
  inspectLabelled,
  listContainers,
  removeContainer,
  removeNetwork,
  stopContainer,
} from "./docker/containers.ts";
import { fencedKey, type LeaseKey, leaseKey } from "./leases.ts";
import { collectFacts, forgetStale } from "./observedState.ts";
import type { Action } from "./reconcileFacts.ts";

export type ReconcileDependencies = ActDependencies & {
  gpuUuids: readonly string[];
  view: () => ChainView;
  /** When the chain or match was seen last, in milliseconds. */
  lastContactAt: () => number;
  /** Called when something was done, so that the next round comes at once. */
  onDone: () => void;
  onAction?: (action: Action["type"], outcome: "begun" | "done" | "failed") => void;
};

export type Reconciler = {
  /** Looks at the engine, decides, and sets off what is to be done; actions go on behind. */
  round(): Promise<void>;
  /** Waits for the actions under way. */
  idle(): Promise<void>;
  /** Leases with a running container, and the host port of each one's first port. */
  running(): Map<LeaseKey, number>;
  /** Stops and removes every container of this node, those of measurements too. */
  stopAll(): Promise<void>;
};

/** After a fault the same action waits this long, in milliseconds. */
const failureBackoff = 2_000;

/** A reconciler's dependencies, and what it has under way. */
type Reconciling = ReconcileDependencies & { inProgress: Map<string, Promise<void>>; lastRecheckAt: number };

export function createReconciler(deps: ReconcileDependencies): Reconciler {
  const own: Reconciling = { ...deps, inProgress: new Map(), lastRecheckAt: Date.now() };
  const { inProgress } = own;
  return {
    round: () => round(own),
    idle: async () => {
      while (inProgress.size > 0) await Promise.all(inProgress.values());
    },
    running: () => runningLeases(own),
    stopAll: () => stopAll(own),
  };
}

async function round(own: Reconciling): Promise<void> {
  const { engine, journal, observed, gpuUuids, signal } = own;
  const containers = await listContainers(engine);
  observed.containers = containers;
  const now = Date.now();
  own.lastRecheckAt = forgetStale(observed, { lastRecheckAt: own.lastRecheckAt, now });
  const facts = collectFacts({
    journal,
    observed,
    view: own.view(),
    containers,
    gpuUuids,
    lastContactAt: own.lastContactAt(),
    now,
  });
  if (signal.aborted) return;
  for (const action of decide(facts)) begin(own, action);
}

/** Sets an action off, unless one of the same subject is under way. */
function begin(own: Reconciling, action: Action): void {
  const { inProgress, logger, signal } = own;
  const subject = subjectOf(action);
  if (inProgress.has(subject)) return;
  own.onAction?.(action.type, "begun");
  const work = act(own, action)
    .then(() => own.onAction?.(action.type, "done"))
    .catch(async (error: unknown) => {
      if (signal.aborted) return;
      own.onAction?.(action.type, "failed");
      logger.warn({ event: "action_failed", action: action.type, subject, error });
      await sleep(failureBackoff, undefined, { ref: false });
    })
    .finally(() => {
      inProgress.delete(subject);
      own.onDone();
    });
  inProgress.set(subject, work);
}

function runningLeases({ observed, view }: Reconciling): Map<LeaseKey, number> {
  const live = new Set(
    view()
      .assignments.filter((lease) => !lease.ended)
      .map(fencedKey),
  );
  const entries = observed.containers.flatMap((container) => {
    const { status, servedPort } = container;
    if (status !== "running" || servedPort === undefined || !live.has(fencedKey(container))) return [];
    return [[leaseKey(container), servedPort] as const];
  });
  return new Map(entries);
}

async function stopAll({ engine }: Reconciling): Promise<void> {
  const containers = await inspectLabelled(engine, []);
  await Promise.all(
    containers.map(async ({ Id }) => {
      await stopContainer(engine, Id);
      await removeContainer(engine, Id);
    }),
  );
  await removeNetwork(engine);
}
