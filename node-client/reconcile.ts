import { setTimeout as sleep } from "node:timers/promises";
import { act, subjectOf } from "./act.ts";
import type { ActDependencies } from "./actions.ts";
import { decide } from "./decide.ts";
import {
  inspectLabelled,
  listContainers,
  removeContainer,
  removeNetwork,
  stopContainer,
} from "./docker/containers.ts";
import type { Action } from "./facts.ts";
import { forgetStale, gatherFacts } from "./knowledge.ts";
import { fencedKey, type LeaseKey, leaseKey } from "./leases.ts";
import type { ChainView } from "./view.ts";

export type ReconcileDependencies = ActDependencies & {
  gpuUuids: readonly string[];
  view: () => ChainView;
  /** When the chain or match was seen last, in milliseconds. */
  lastSight: () => number;
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
const faultPause = 2_000;

/** A reconciler's dependencies, and what it has under way. */
type Reconciling = ReconcileDependencies & { underWay: Map<string, Promise<void>>; lastLook: number };

export function createReconciler(deps: ReconcileDependencies): Reconciler {
  const own: Reconciling = { ...deps, underWay: new Map(), lastLook: Date.now() };
  const { underWay } = own;
  return {
    round: () => round(own),
    idle: async () => {
      while (underWay.size > 0) await Promise.all(underWay.values());
    },
    running: () => runningLeases(own),
    stopAll: () => stopAll(own),
  };
}

async function round(own: Reconciling): Promise<void> {
  const { engine, journal, memory, gpuUuids, signal } = own;
  const containers = await listContainers(engine);
  memory.containers = containers;
  const now = Date.now();
  own.lastLook = forgetStale(memory, { lastLook: own.lastLook, now });
  const facts = gatherFacts({
    journal,
    memory,
    view: own.view(),
    containers,
    gpuUuids,
    lastSight: own.lastSight(),
    now,
  });
  if (signal.aborted) return;
  for (const action of decide(facts)) begin(own, action);
}

/** Sets an action off, unless one of the same subject is under way. */
function begin(own: Reconciling, action: Action): void {
  const { underWay, logger, signal } = own;
  const subject = subjectOf(action);
  if (underWay.has(subject)) return;
  own.onAction?.(action.type, "begun");
  const work = act(own, action)
    .then(() => own.onAction?.(action.type, "done"))
    .catch(async (error: unknown) => {
      if (signal.aborted) return;
      own.onAction?.(action.type, "failed");
      logger.warn({ event: "action_failed", action: action.type, subject, error });
      await sleep(faultPause, undefined, { ref: false });
    })
    .finally(() => {
      underWay.delete(subject);
      own.onDone();
    });
  underWay.set(subject, work);
}

function runningLeases({ memory, view }: Reconciling): Map<LeaseKey, number> {
  const live = new Set(
    view()
      .assignments.filter((lease) => !lease.ended)
      .map(fencedKey),
  );
  const entries = memory.containers.flatMap((container) => {
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
