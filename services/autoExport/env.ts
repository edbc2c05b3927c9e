import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of autoExport. */
export const autoExportVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  CHAIN_WS_URLS: envTypes
    .urls()
    .optional()
    .describe("WebSocket endpoints that tell of new blocks; default: CHAIN_RPC_URLS with ws for http"),
  BLOCK_SECONDS: z.coerce
    .number()
    .positive()
    .default(2)
    .describe("Seconds between blocks of the chain; health is judged by it"),
  AUDIT_BLOCKS_PER_SECOND: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(2)
    .describe(
      "Most blocks a second whose rows are compared with their receipts, once they are safe; 0: none",
    ),
};

/** Variables of `npm run export:verify`. */
export const verifyVariables = {
  ...chainEnv,
  LOG_LEVEL: commonEnv.LOG_LEVEL,
  DATABASE_ADMIN_URL: databaseEnv.DATABASE_URL.describe("Postgres, with a role that may create schemas"),
};

export const readAutoExportEnv = (source?: Record<string, string | undefined>) =>
  readEnv(autoExportVariables, source);
