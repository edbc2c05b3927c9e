import { deadlinesOf, deadlineVariables } from "@ngpu/runtime/deadlines";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";
import type { PlacementLimits } from "./decide.ts";
import type { ProgressDeadlines } from "./progress.ts";

const seconds = (value: number, what: string) => envTypes.seconds().default(value).describe(what);
const count = (value: number, what: string) => envTypes.count().default(value).describe(what);

const deadlines = {
  accept: [60, "Seconds that a node has to accept a lease"],
  stall: [180, "Seconds that a download may go without progress"],
  download: [3600, "Seconds that a download may take"],
  ready: [120, "Seconds from the verified image to Ready"],
  start: [120, "Seconds that a start may take"],
  retry: [20, "Seconds that a node has to recover from a failure by itself"],
  delete: [120, "Seconds that a node has to delete"],
} satisfies Record<keyof ProgressDeadlines, [number, string]>;

/** Variables of dispense. */
export const dispenseVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  SWEEP_SECONDS: seconds(3, "Seconds between looks at what is under way"),
  CONCURRENCY: count(16, "Workspaces worked on at once"),
  ASSIGN_BATCH: z.coerce
    .number()
    .int()
    .min(1)
    .max(50)
    .default(50)
    .describe("Assignments in one transaction at most"),
  WAVE: count(64, "Replicas of one workspace that are distributed at once"),
  NODE_TRANSFERS: count(4, "Images brought to one node at once; further leases wait"),
  SOURCE_TRANSFERS: count(512, "Images brought from one registry at once; further replicas follow in waves"),
  PLACEMENT_TRIES: count(5, "Refused assignments of a replica in a row before a pause"),
  PLACEMENT_PAUSE: seconds(30, "Seconds before an impossible placement is asked again"),
  ASK_DEADLINE: seconds(15, "Seconds after which a placement without an answer counts as stuck"),
  AVOID_REFUSED: seconds(30, "Seconds for which a node that the chain refused is left out"),
  AVOID_REPLACED: seconds(600, "Seconds for which a node that failed with a replica is left out"),
  ...deadlineVariables(deadlines),
};

export type DispenseSettings = ReturnType<typeof readDispenseEnv>;

/** Settings of dispense, read once at its start. */
export function readDispenseEnv(source?: Record<string, string | undefined>) {
  return readEnv(dispenseVariables, source);
}

export function limitsOf(settings: DispenseSettings): PlacementLimits {
  return {
    wave: settings.WAVE,
    source: settings.SOURCE_TRANSFERS,
    tries: settings.PLACEMENT_TRIES,
    triesWindow: 10 * settings.PLACEMENT_PAUSE,
    pause: settings.PLACEMENT_PAUSE,
    avoidRefused: settings.AVOID_REFUSED,
    avoidReplaced: settings.AVOID_REPLACED,
  };
}

export const progressDeadlines = (settings: DispenseSettings): ProgressDeadlines =>
  deadlinesOf(deadlines, settings);
