import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";
import type { Deadlines } from "./decide.ts";

const deadline = (seconds: number, what: string) =>
  envTypes.seconds().default(seconds).describe(`Seconds after which ${what} counts as stuck`);

/** Variables of workspace. */
export const workspaceVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  SWEEP_SECONDS: envTypes.seconds().default(3).describe("Seconds between looks at all workspaces"),
  CONCURRENCY: z.coerce.number().int().min(1).default(16).describe("Workspaces worked on at once"),
  DEADLINE_PLACE: deadline(60, "a replica without a node"),
  DEADLINE_DISTRIBUTE: deadline(1800, "bringing the image to a node"),
  DEADLINE_START: deadline(120, "a start"),
  DEADLINE_STOP: deadline(60, "a stop"),
  DEADLINE_DELETE: deadline(120, "a deletion"),
  DEADLINE_RELEASE: deadline(60, "the release of an ended lease"),
};

export type WorkspaceSettings = ReturnType<typeof readWorkspaceEnv>;

/** Settings of workspace, read once at its start. */
export function readWorkspaceEnv(source?: Record<string, string | undefined>) {
  return readEnv(workspaceVariables, source);
}

export function deadlinesOf(settings: WorkspaceSettings): Deadlines {
  return {
    place: settings.DEADLINE_PLACE,
    distribute: settings.DEADLINE_DISTRIBUTE,
    start: settings.DEADLINE_START,
    stop: settings.DEADLINE_STOP,
    delete: settings.DEADLINE_DELETE,
    release: settings.DEADLINE_RELEASE,
  };
}
