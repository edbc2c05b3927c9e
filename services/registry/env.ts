import { commonEnv, envTypes, readEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of the registry. */
export const registryVariables = {
  ...commonEnv,
  IMAGE_STORE: z.string().describe("Directory of the market's own images, served at /v2/"),
  PUSH_STORE: z
    .string()
    .optional()
    .describe("Directory of the images that accounts push; without it nobody can push"),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "is not a postgres:// URL")
    .optional()
    .describe("Postgres URL, with the role ngpu_registry, for pushes"),
  PUBLIC_URL: z
    .url()
    .optional()
    .describe("URL of the registry as Docker reaches it; without it that of each request"),
  PUSH_QUOTA_GIB: z.coerce.number().positive().default(50).describe("What an account may store, GiB"),
  PUSH_RESERVE_GIB: z.coerce.number().min(0).default(5).describe("Disk that pushes leave free, GiB"),
  PUSH_KEEP_HOURS: envTypes
    .seconds()
    .default(24)
    .describe("Hours for which uploads, and images that nothing names, are kept"),
  PUSH_COLLECT_SECONDS: envTypes
    .seconds()
    .default(600)
    .describe("Interval between removals of what nothing names, seconds"),
};

export type RegistrySettings = ReturnType<typeof readRegistryEnv>;

/** Reads the settings of the registry; called once at start. */
export function readRegistryEnv(source?: Record<string, string | undefined>) {
  return readEnv(registryVariables, source);
}
