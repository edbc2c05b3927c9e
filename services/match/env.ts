import { hostname } from "node:os";
import { z } from "zod";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "../shared/env.ts";

const portRange = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/, "is not a range of ports such as 42000-42999")
  .transform((text) => {
    const [first = 0, last = 0] = text.split("-").map(Number);
    return { first, last };
  })
  .refine(
    ({ first, last }) => first >= 1 && last <= 65_535 && first <= last,
    "is not a range of ports from 1 to 65535",
  );

/** Variables of match. */
export const matchVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  PUBLIC_URL: envTypes
    .url()
    .describe("WebSocket URL at which nodes reach this match; also what they sign for"),
  PROBE_IMAGE: z
    .string()
    .regex(/@sha256:[0-9a-f]{64}$/, "does not end in @sha256: and a digest")
    .describe("Image that measurements run on nodes, reference@sha256:…"),
  PROBE_PORTS: portRange
    .default({ first: 42_000, last: 42_999 })
    .describe("Ports out of which a measurement draws one; nodes keep them open"),
  INSTANCE: z
    .string()
    .min(1)
    .max(100)
    .default(`${hostname()}-${process.pid}`)
    .describe("Name of this match among several"),
  LOSS_SECONDS: envTypes
    .seconds()
    .default(4)
    .describe("How long a node is without a session before its leases are released"),
  LOSS_SHARE: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe("Share of the capacity online that may vanish at once before nothing is reassigned"),
  LOSS_FLOOR: z.coerce
    .number()
    .int()
    .min(1)
    .default(1)
    .describe("So many nodes may vanish at once whatever their share, as long as any node is left"),
};

export const readMatchEnv = (source?: Record<string, string | undefined>) => readEnv(matchVariables, source);

export type MatchEnv = ReturnType<typeof readMatchEnv>;
