import { setTimeout as sleep } from "node:timers/promises";
import { NgpuError } from "@ngpu/runtime/errors";
import { act, subjectOf } from "./act.ts";
import type { ActDependencies } from "./actions.ts";
import type { ChainView } from "./chainView.ts";
import { decide } from "./decide.ts";
import { healthPauseOf } from "./decideRun.ts";
import {
  inspectLabelled,
  listContainers,
  removeContainer,
  removeNetwork,
  stopContainer,
} from "./docker/containers.ts";
import { removeInspected } from "./docker/imageUser.ts";
import { currentLease, runningLeases } from "./heldLeases.ts";
import { createImageRoom, type ImageRoom } from "./imageRoom.ts";
import { forgetRun } from "./journal/runs.ts";
import { fencedKey, type LeaseKey, type LeaseRef } from "./leases.ts";
import { collectFacts, forgetStale, imagesInUse } from "./observedState.ts";
import type { ReasonReporter } from "./reasons/reasonReporter.ts";
import type { Action, Container, Facts } from "./reconcileFacts.ts";

export type ReconcileDependencies = Omit<ActDependencies, "room"> & {
  view: () => ChainView;
  /** Time of the last contact with the chain or match, in milliseconds. */
  lastContactAt: () => number;
  /** Reports why leases do not run. */
  reasons: ReasonReporter;
  /** Called when an action has ended, to start the next round immediately. */
  onDone: () => void;
  onAction?: (action: Action["type"], outcome: "started" | "done" | "failed") => void;
};

export type Reconciler = {
  /** Reads the engine, decides and starts the actions. They continue after the round. */
  round(): Promise<void>;
  /** Resolves when no action is in progress. */
  idle(): Promise<void>;
  /** Leases with a running container, and the host port of each one's first port. */
  running(): Map<LeaseKey, number>;
  /** A lease that this node has and no later one replaces, with its container if it has one; undefined: it has no such lease. */
  current(lease: LeaseRef): { container: Container | undefined } | undefined;
  /** Stops and removes every container of this node, including probes, and the network of workspaces. */
  stopAll(): Promise<void>;
};

/** Milliseconds between two rounds when nothing happens: an event of the engine or the chain starts one at once. */
export const roundInterval = 2_000;

/** Pause after a failed action before the same action may run again, in milliseconds. */
const failureBackoff = 2_000;

/** Milliseconds by which the engine's times may be earlier. */
const clockTolerance = 2_000;

/** A reconciler's dependencies and its actions in progress. */
type Reconciling = ReconcileDependencies & {
  room: ImageRoom;
  inProgress: Map<string, Promise<void>>;
  lastRecheckAt: number;
  /** When the engine last listed the containers, in milliseconds, and whether it has not answered since. */
  engineSeen: { at: number; isLost: boolean };
  /** The timer of the next round that checks health. */
  checksAgain: NodeJS.Timeout | undefined;
  /** A round had something to report while an earlier report was being made. */
  reportsAgain: boolean;
  /** A killed client may have left containers whose files it read. */
  hasLeftovers: boolean;
};

export function createReconciler(deps: ReconcileDependencies): Reconciler {
  const { journal, view } = deps;
  const state: Reconciling = {
    ...deps,
    room: createImageRoom({ ...deps, inUse: () => imagesInUse(journal, view()) }),
    inProgress: new Map(),
    lastRecheckAt: Date.now(),
    hasLeftovers: true,
    checksAgain: undefined,
    reportsAgain: false,
    engineSeen: { at: Date.now(), isLost: false },
  };
  const { inProgress } = state;
  return {
    round: () => round(state),
    idle: async () => {
      while (inProgress.size > 0) await Promise.all(inProgress.values());
    },
    running: () => runningLeases(state),
    current: (lease) => currentLease(state, lease),
    stopAll: () => stopAll(state),
  };
}

async function round(state: Reconciling): Promise<void> {
  const { engine, journal, observed, gpus, signal } = state;
  const containers = await listAgain(state);
  observed.containers = containers;
  if (state.hasLeftovers) {
    await removeInspected(engine);
    state.hasLeftovers = false;
  }
  const now = Date.now();
  state.lastRecheckAt = forgetStale(observed, { lastRecheckAt: state.lastRecheckAt, now });
  const facts = collectFacts({
    journal,
    observed,
    view: state.view(),
    containers,
    gpuUuids: gpus().map((gpu) => gpu.uuid),
    sickGpuIds: new Set(state.sickGpus().map((gpu) => gpu.id)),
    isExposed: state.walls.isExposed(now),
    startSeconds: state.deployment.parameters.startSeconds,
    lastContactAt: state.lastContactAt(),
    now,
  });
  if (signal.aborted) return;
  forgetSecrets(state, facts);
  for (const action of decide(facts)) begin(state, action);
  reportReasons(state, facts);
}

/** The secrets of a lease are gone with it: its files when neither the lease nor its container is left. */
function forgetSecrets({ secrets }: Reconciling, { assignments, containers }: Facts): void {
  const live = assignments.filter(({ ended }) => !ended);
  secrets.keepOnly(new Set([...live, ...containers].map(fencedKey)));
}

/** Beside the actions: reading a container's output must delay no lease. */
function reportReasons(state: Reconciling, facts: Facts): void {
  const { inProgress, reasons, observed } = state;
  if (inProgress.has("reasons")) {
    state.reportsAgain = true;
    return;
  }
  const live = new Set(facts.assignments.filter(({ ended }) => !ended).map(fencedKey));
  for (const key of observed.failedStarts.keys()) if (!live.has(key)) observed.failedStarts.delete(key);
  const work = reasons.observe(facts, observed.failedStarts).finally(() => {
    inProgress.delete("reasons");
    if (state.reportsAgain) state.onDone();
    state.reportsAgain = false;
  });
  inProgress.set("reasons", work);
}

/** Lists the containers. Those that ended with the engine have not crashed: their starts are counted again from zero. */
async function listAgain(state: Reconciling): Promise<Container[]> {
  const { engine, journal, engineSeen } = state;
  try {
    const containers = await listContainers(engine);
    if (engineSeen.isLost) {
      const ended = containers.filter(
        ({ status, finishedAt }) => status === "exited" && finishedAt >= engineSeen.at - clockTolerance,
      );
      for (const container of ended) forgetRun(journal, fencedKey(container));
    }
    state.engineSeen = { at: Date.now(), isLost: false };
    return containers;
  } catch (error) {
    if (error instanceof NgpuError && error.code === "engine_unreachable") engineSeen.isLost = true;
    throw error;
  }
}

/** Starts a round when a container's health is to be checked again: the rounds' own interval is longer. */
function checkAgain(state: Reconciling, action: Action): void {
  const health = action.type === "check" ? state.observed.health.get(action.containerId) : undefined;
  if (health === undefined || health.ok || state.checksAgain !== undefined) return;
  state.checksAgain = setTimeout(() => {
    state.checksAgain = undefined;
    if (!state.signal.aborted) state.onDone();
  }, healthPauseOf(health));
  state.checksAgain.unref();
}

/** Starts an action, unless one with the same subject is in progress. */
function begin(state: Reconciling, action: Action): void {
  const { inProgress, logger, signal } = state;
  const subject = subjectOf(action);
  if (inProgress.has(subject)) return;
  state.onAction?.(action.type, "started");
  const work = act(state, action)
    .then(() => state.onAction?.(action.type, "done"))
    .catch(async (error: unknown) => {
      if (signal.aborted) return;
      state.onAction?.(action.type, "failed");
      logger.warn({ event: "action_failed", action: action.type, subject, error });
      await sleep(failureBackoff, undefined, { ref: false });
    })
    .finally(() => {
      inProgress.delete(subject);
      checkAgain(state, action);
      state.onDone();
    });
  inProgress.set(subject, work);
}

async function stopAll({ engine, secrets, walls }: Reconciling): Promise<void> {
  const containers = await inspectLabelled(engine, []);
  await Promise.all(
    containers.map(async ({ Id }) => {
      await stopContainer(engine, Id);
      await removeContainer(engine, Id);
    }),
  );
  secrets.keepOnly(new Set());
  await removeNetwork(engine);
  await walls.remove();
}
