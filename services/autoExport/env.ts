import { z } from "zod";
import { chainEnv, commonEnv, databaseEnv, readEnv } from "../shared/env.ts";

/** Variables of autoExport. */
export const autoExportVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  BLOCK_SECONDS: z.coerce
    .number()
    .positive()
    .default(2)
    .describe("Seconds between blocks of the chain; health is judged by it"),
};

export const readAutoExportEnv = (source?: Record<string, string | undefined>) =>
  readEnv(autoExportVariables, source);
