import { join } from "node:path";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { rest } from "@ngpu/runtime/loop";
import { marketUrl } from "../network.ts";
import { version } from "../version.ts";
import { markHealthy, type UpdatePlace } from "./place.ts";
import { runUpdater } from "./updaterProcess.ts";
import type { UpdateOutcome, UpdateTask } from "./updateTask.ts";

/** The exit status after which the launcher starts the client again. */
export const restartStatus = 75;

/** Milliseconds between reports to the launcher until the client works. */
const healthInterval = 1_000;

/** The result of the last check for an update. */
export type UpdateStatus = {
  /** Whether a launcher can replace this client. */
  enabled: boolean;
  /** Milliseconds since 1970; null: none yet. */
  checkedAt: number | null;
  /** `staged`, the reason why nothing is installed, or the code of an error. */
  result: string | null;
};

export type UpdateOptions = {
  place: UpdatePlace | undefined;
  api: string;
  address: string;
  region: string | undefined;
  /** Seconds between checks; 0: no checks. */
  seconds: number;
  /** Whether the client works: what the launcher waits for after an update. */
  isHealthy: () => boolean;
  context: ServiceContext;
  /** Replaces the updater's process. */
  run?: (task: UpdateTask, signal: AbortSignal) => Promise<UpdateOutcome>;
};

/** Checks for updates, and ends the client for one. */
export type Updates = { status(): UpdateStatus; isRestarting(): boolean; done: Promise<void> };

/**
 * Starts checking for updates. Clients check at different moments, so that they do not all restart at once. Without a
 * launcher nothing is looked for.
 */
export function startUpdates(options: UpdateOptions): Updates {
  const { place, seconds } = options;
  const status: UpdateStatus = { enabled: place !== undefined && seconds > 0, checkedAt: null, result: null };
  const state = { status, restarting: false };
  const work = place === undefined ? [] : [reportHealth(place, options)];
  if (place !== undefined && status.enabled) work.push(lookForUpdates(place, options, state));
  return {
    status: () => ({ ...status }),
    isRestarting: () => state.restarting,
    done: Promise.all(work).then(() => undefined),
  };
}

async function reportHealth(place: UpdatePlace, { isHealthy, context }: UpdateOptions): Promise<void> {
  while (!context.signal.aborted) {
    if (isHealthy()) {
      markHealthy(place, version);
      return;
    }
    await rest(healthInterval, context.signal);
  }
}

async function lookForUpdates(
  place: UpdatePlace,
  options: UpdateOptions,
  state: { status: UpdateStatus; restarting: boolean },
): Promise<void> {
  const { context, seconds } = options;
  const { signal } = context;
  for (;;) {
    await rest(seconds * 1_000 * (0.5 + Math.random()), signal);
    if (signal.aborted) return;
    const outcome = await check(place, options, state.status);
    if (outcome === undefined || !(outcome.state === "staged" || outcome.configChanged)) continue;
    state.restarting = true;
    context.exit(
      outcome.state === "staged" ? `update to ${outcome.release}` : "new configuration",
      restartStatus,
    );
    return;
  }
}

async function check(
  place: UpdatePlace,
  options: UpdateOptions,
  status: UpdateStatus,
): Promise<UpdateOutcome | undefined> {
  const { logger, signal } = options.context;
  try {
    const outcome = await (options.run ?? runUpdater)(taskOf(place, options), signal);
    Object.assign(status, { checkedAt: Date.now(), result: outcome.because ?? outcome.state });
    return outcome;
  } catch (error) {
    if (signal.aborted) return undefined;
    const code = error instanceof NgpuError ? error.code : "update_failed";
    Object.assign(status, { checkedAt: Date.now(), result: code });
    logger.warn({ event: "update_failed", code, reason: messageOf(error) });
    return undefined;
  }
}

function taskOf({ dir }: UpdatePlace, { api, address, region }: UpdateOptions): UpdateTask {
  return {
    dir,
    releases: marketUrl(api, "client/").href,
    root: join(import.meta.dirname, "root.json"),
    installed: version,
    platform: `${process.platform}-${process.arch}`,
    address,
    ...(region !== undefined && { region }),
  };
}
