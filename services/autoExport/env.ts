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
    .describe(
      "WebSocket endpoints that announce new blocks; default: CHAIN_RPC_URLS with ws instead of http",
    ),
  BLOCK_SECONDS: z.coerce
    .number()
    .positive()
    .default(2)
    .describe("Block time of the chain in seconds; used by the health check"),
  AUDIT_BLOCKS_PER_SECOND: z.coerce
    .number()
    .int()
    .nonnegative()
    .default(2)
    .describe(
      "Maximum number of safe blocks per second whose rows are audited against their receipts; 0 disables the audit",
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
