import { deadlinesOf, deadlineVariables } from "@ngpu/runtime/deadlines";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";
import type { Deadlines } from "./decide.ts";

const stuck = (what: string) => `Seconds after which ${what} counts as stuck`;

const deadlines = {
  place: [60, stuck("a replica without a node")],
  distribute: [1800, stuck("the distribution of the image to a node")],
  start: [120, stuck("a start")],
  stop: [60, stuck("a stop")],
  delete: [120, stuck("a deletion")],
  release: [60, stuck("the release of an ended lease")],
} satisfies Record<keyof Deadlines, [number, string]>;

/** Variables of workspace. */
export const workspaceVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  SWEEP_SECONDS: envTypes.seconds().default(3).describe("Interval of the sweep over all workspaces, seconds"),
  CONCURRENCY: z.coerce.number().int().min(1).default(16).describe("Workspaces processed concurrently"),
  ...deadlineVariables(deadlines),
};

export type WorkspaceSettings = ReturnType<typeof readWorkspaceEnv>;

/** Reads the settings of workspace; called once at start. */
export function readWorkspaceEnv(source?: Record<string, string | undefined>) {
  return readEnv(workspaceVariables, source);
}

export const workspaceDeadlines = (settings: WorkspaceSettings): Deadlines =>
  deadlinesOf(deadlines, settings);
