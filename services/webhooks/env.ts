import { retryHours } from "@ngpu/protocol/webhooks";
import { commonEnv, databaseEnv, envTypes, readEnv, redisEnv, webhookKeysEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of webhooks. */
export const webhooksVariables = {
  ...commonEnv,
  ...databaseEnv,
  ...redisEnv,
  ...webhookKeysEnv,
  PRIVATE_ADDRESSES: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: send to private addresses, for a market on one machine or one network"),
  SWEEP_SECONDS: envTypes
    .seconds()
    .default(1)
    .describe("Interval between checks for due deliveries, seconds"),
  RETRY_HOURS: envTypes.seconds().default(retryHours).describe("Hours for which a delivery is retried"),
  RETRY_SECONDS: envTypes.seconds().default(5).describe("Pause before the first retry; it doubles, seconds"),
};

export type WebhooksSettings = ReturnType<typeof readWebhooksEnv>;

/** Reads the settings of webhooks; called once at start. */
export function readWebhooksEnv(source?: Record<string, string | undefined>) {
  return readEnv(webhooksVariables, source);
}
