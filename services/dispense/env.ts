import { deadlinesOf, deadlineVariables } from "@ngpu/runtime/deadlines";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";
import type { PlacementLimits } from "./decide.ts";
import type { ProgressDeadlines } from "./progress.ts";

const seconds = (value: number, what: string) => envTypes.seconds().default(value).describe(what);
const count = (value: number, what: string) => envTypes.count().default(value).describe(what);

const deadlines = {
  accept: [60, "Seconds within which a node must accept a lease"],
  stall: [180, "Seconds that a download may stall"],
  download: [3600, "Seconds that a download may take"],
  ready: [120, "Seconds from the verified image to state ready"],
  start: [120, "Seconds that a start may take"],
  retry: [20, "Seconds within which a node must recover from a failure"],
  delete: [
    240,
    "Seconds within which a node must delete a replica; at least twice the contracts' restSeconds",
  ],
} satisfies Record<keyof ProgressDeadlines, [number, string]>;

/** Variables of dispense. */
export const dispenseVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  SWEEP_SECONDS: seconds(3, "Interval of the sweep over work in progress, seconds"),
  CONCURRENCY: count(16, "Workspaces processed concurrently"),
  ASSIGN_BATCH: z.coerce
    .number()
    .int()
    .min(1)
    .max(50)
    .default(50)
    .describe("Maximum number of assignments in one transaction"),
  WORKSPACE_REPLICAS: count(64, "Replicas of one workspace that are distributed concurrently"),
  NODE_TRANSFERS: count(4, "Concurrent image transfers to one node; further leases wait"),
  SOURCE_TRANSFERS: count(
    512,
    "Concurrent image transfers of one partner from one registry; further replicas wait",
  ),
  PLACEMENT_ATTEMPTS: count(5, "Consecutive refused assignments of a replica before a pause"),
  PLACEMENT_PAUSE_SECONDS: seconds(30, "Seconds before an impossible placement is retried"),
  PLACEMENT_DEADLINE_SECONDS: seconds(
    15,
    "Seconds after which a placement without an answer counts as stuck",
  ),
  AVOID_REFUSED_SECONDS: seconds(
    30,
    "Seconds for which a node is excluded after the chain refused its assignment",
  ),
  AVOID_REPLACED_SECONDS: seconds(
    600,
    "Seconds for which a node is excluded after it failed to run a replica",
  ),
  ...deadlineVariables(deadlines),
};

export type DispenseSettings = ReturnType<typeof readDispenseEnv>;

/** Reads the settings of dispense; called once at start. */
export function readDispenseEnv(source?: Record<string, string | undefined>) {
  return readEnv(dispenseVariables, source);
}

export function limitsOf(settings: DispenseSettings): PlacementLimits {
  return {
    replicas: settings.WORKSPACE_REPLICAS,
    source: settings.SOURCE_TRANSFERS,
    attempts: settings.PLACEMENT_ATTEMPTS,
    attemptsWindow: 10 * settings.PLACEMENT_PAUSE_SECONDS,
    pause: settings.PLACEMENT_PAUSE_SECONDS,
    avoidRefused: settings.AVOID_REFUSED_SECONDS,
    avoidReplaced: settings.AVOID_REPLACED_SECONDS,
  };
}

export const progressDeadlines = (settings: DispenseSettings): ProgressDeadlines =>
  deadlinesOf(deadlines, settings);
