import { commonEnv, readEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of config. */
export const configVariables = {
  ...commonEnv,
  UPDATE_REPOSITORY: z
    .string()
    .describe(
      "Directory client of the client's releases, in which npm run updates -- init created a repository",
    ),
  ONLINE_KEY_FILE: z.string().describe("File of the online key, which signs the rollout"),
  CONFIG_TOKEN: z
    .string()
    .min(32, "is shorter than 32 characters")
    .describe("Secret of those who may change the rollout, and of Alertmanager"),
};

export type ConfigSettings = ReturnType<typeof readConfigEnv>;

/** Reads the settings of config; called once at start. */
export function readConfigEnv(source?: Record<string, string | undefined>) {
  return readEnv(configVariables, source);
}
