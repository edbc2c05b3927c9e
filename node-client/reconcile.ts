import { setTimeout as sleep } from "node:timers/promises";
import { type ActDependencies, act, subjectOf } from "./act.ts";
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

export function createReconciler(deps: ReconcileDependencies): Reconciler {
  const { engine, memory, logger } = deps;
  const underWay = new Map<string, Promise<void>>();
  let lastLook = Date.now();
  const begin = (action: Action) => {
    const subject = subjectOf(action);
    if (underWay.has(subject)) return;
    deps.onAction?.(action.type, "begun");
    const work = act(deps, action)
      .then(() => deps.onAction?.(action.type, "done"))
      .catch(async (error: unknown) => {
        if (deps.signal.aborted) return;
        deps.onAction?.(action.type, "failed");
        logger.warn({ event: "action_failed", action: action.type, subject, error });
        await sleep(faultPause, undefined, { ref: false });
      })
      .finally(() => {
        underWay.delete(subject);
        deps.onDone();
      });
    underWay.set(subject, work);
  };
  return {
    round: async () => {
      const containers = await listContainers(engine);
      memory.containers = containers;
      const now = Date.now();
      lastLook = forgetStale(memory, { lastLook, now });
      const facts = gatherFacts({
        journal: deps.journal,
        memory,
        view: deps.view(),
        containers,
        gpuUuids: deps.gpuUuids,
        lastSight: deps.lastSight(),
        now,
      });
      if (deps.signal.aborted) return;
      for (const action of decide(facts)) begin(action);
    },
    idle: async () => {
      while (underWay.size > 0) await Promise.all(underWay.values());
    },
    running: () => {
      const live = new Set(
        deps
          .view()
          .assignments.filter((lease) => !lease.ended)
          .map(fencedKey),
      );
      const entries = memory.containers.flatMap((container) => {
        const { status, servedPort } = container;
        if (status !== "running" || servedPort === undefined || !live.has(fencedKey(container))) return [];
        return [[leaseKey(container), servedPort] as const];
      });
      return new Map(entries);
    },
    stopAll: async () => {
      const containers = await inspectLabelled(engine, []);
      await Promise.all(
        containers.map(async ({ Id }) => {
          await stopContainer(engine, Id);
          await removeContainer(engine, Id);
        }),
      );
      await removeNetwork(engine);
    },
  };
}
