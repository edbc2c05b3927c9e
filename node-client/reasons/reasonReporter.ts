import { pathBytes, startOf } from "@ngpu/protocol/reasons/boundedText";
import { type NodeReason, reasonKey } from "@ngpu/protocol/reasons/nodeReason";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { type Engine, enginePlatform } from "../docker/engine.ts";
import { findImage } from "../docker/images.ts";
import { readLog } from "../docker/logs.ts";
import { elapsed } from "../elapsed.ts";
import { type Assignment, fencedKey } from "../leases.ts";
import type { Facts, FailedStart } from "../reconcileFacts.ts";
import {
  exitReason,
  mayBeForeign,
  namesForeignProgram,
  type Platforms,
  startReason,
} from "./engineReasons.ts";
import { type Observed, observe } from "./observe.ts";

/** Reports to match why leases do not run. */
export type ReasonReporter = {
  /** Compares the leases with what was reported, and reports what is new. Never throws. */
  observe(facts: Facts, failedStarts: ReadonlyMap<string, FailedStart>): Promise<void>;
  /** Reports everything again: a new session may be with another instance. */
  resend(): void;
};

/** Milliseconds between two new reasons of one lease, and between repeated reports of one. */
export const pause = { change: 1_000, repeat: 30_000 };
/** Reasons of one lease whose occurrences are counted. */
const maxCounted = 100;

type Entry = {
  lease: Assignment;
  /** The last observation; undefined: the lease runs. */
  occurrence: string | undefined;
  counts: Map<string, number>;
  message: Pick<Extract<ClientMessage, { type: "reason" }>, "code" | "details" | "count">;
  changedAt: number;
  nextAt: number;
};

type Dependencies = {
  engine: Engine;
  send: (message: ClientMessage) => boolean;
  logger: Logger;
};

type Reporting = Dependencies & { entries: Map<string, Entry>; busy: boolean };

export function createReasonReporter(deps: Dependencies): ReasonReporter {
  const state: Reporting = { ...deps, entries: new Map(), busy: false };
  return {
    observe: async (facts, failedStarts) => {
      if (state.busy) return;
      state.busy = true;
      try {
        await observeAll(state, facts, failedStarts);
      } finally {
        state.busy = false;
      }
    },
    resend: () => {
      for (const entry of state.entries.values()) entry.nextAt = 0;
      flush(state);
    },
  };
}

async function observeAll(
  state: Reporting,
  facts: Facts,
  failedStarts: ReadonlyMap<string, FailedStart>,
): Promise<void> {
  const live = new Map(facts.assignments.filter(({ ended }) => !ended).map((one) => [fencedKey(one), one]));
  for (const key of state.entries.keys()) if (!live.has(key)) state.entries.delete(key);
  // Side by side: the output of one container, which may be slow to read, delays no other lease's reason.
  await Promise.all(
    [...live].map(async ([key, lease]) => {
      const observed = observe(facts, lease, failedStarts.get(key));
      if (observed === undefined) return;
      try {
        await note(state, key, lease, observed, facts.now);
        flush(state);
      } catch (error) {
        // The engine did not answer: the next round observes the lease again.
        state.logger.debug({ event: "reason_not_observed", lease: key, reason: messageOf(error) });
      }
    }),
  );
  flush(state);
}

async function note(
  state: Reporting,
  key: string,
  lease: Assignment,
  observed: Observed,
  now: number,
): Promise<void> {
  const known = state.entries.get(key);
  const shared = { lease, changedAt: now, nextAt: 0, counts: known?.counts ?? new Map<string, number>() };
  if (observed.type === "runs") {
    if (known?.message.code === null) return;
    state.entries.set(key, {
      ...shared,
      occurrence: undefined,
      message: { code: null, details: {}, count: 0 },
    });
    return;
  }
  if (known !== undefined && elapsed(now, known.changedAt) < pause.change) return;
  const occurrence = `${nameOf(observed)} ${observed.occurrence}`;
  if (known?.occurrence === occurrence) return;
  const reason = await reasonOf(state, observed);
  const { counts } = shared;
  if (counts.size > maxCounted) counts.clear();
  const of = reasonKey(reason.code, reason.details);
  counts.set(of, (counts.get(of) ?? 0) + 1);
  const message = { ...reason, count: counts.get(of) ?? 1 };
  state.entries.set(key, { ...shared, occurrence, message });
  state.logger.warn({ event: "lease_not_running", lease: key, code: reason.code, count: message.count });
}

/** Tells observations of different reasons apart. */
function nameOf(observed: Exclude<Observed, { type: "runs" }>): string {
  switch (observed.type) {
    case "reason":
      return observed.reason.code;
    case "unhealthy":
      return `unhealthy ${observed.failure.status ?? ""}`;
    default:
      return observed.type;
  }
}

/** The reason of an observation, with what the engine has to be asked for. */
async function reasonOf(
  { engine }: Reporting,
  observed: Exclude<Observed, { type: "runs" }>,
): Promise<NodeReason> {
  switch (observed.type) {
    case "reason":
      return observed.reason;
    case "start_failed": {
      const isForeign = namesForeignProgram(observed.said);
      const platform = isForeign ? await enginePlatform(engine.docker).catch(() => undefined) : undefined;
      const { config, reference } = observed.plan;
      const known = [...(config.command ?? []), reference];
      return startReason(observed.said, observed.exitCode, { engine: platform, image: undefined }, known);
    }
    case "ended": {
      const { container, plan, starts, since } = observed;
      const { exitCode, oomKilled } = container;
      const log = await readLog(engine, container.id, since);
      const ended = { exitCode, oomKilled, starts, memoryMib: plan.memoryMib, log };
      return exitReason(ended, await platformsOf(engine, plan.reference, log));
    }
    case "unhealthy": {
      const { container, plan, failure } = observed;
      const log = await readLog(engine, container.id, container.startedAt);
      const { health, ports } = plan.config;
      const path = startOf(health, pathBytes);
      const port = ports[0] ?? 0;
      return { code: "health_failing", details: { path, port, ...failure, ...(log !== "" && { log }) } };
    }
  }
}

async function platformsOf(engine: Engine, reference: string, log: string): Promise<Platforms> {
  if (!mayBeForeign(log)) return { engine: undefined, image: undefined };
  const image = await findImage(engine, reference);
  return { engine: await enginePlatform(engine.docker), image: image?.platform };
}

function flush({ entries, send }: Reporting): void {
  const now = Date.now();
  for (const entry of entries.values()) {
    if (now < entry.nextAt) continue;
    const { workspaceId, replica, lease, fence } = entry.lease;
    if (!send({ type: "reason", workspaceId, replica, lease, fence, ...entry.message })) return;
    // A lease that runs is said once in a session.
    entry.nextAt = entry.message.code === null ? Number.POSITIVE_INFINITY : now + pause.repeat;
  }
}
