import { hostname } from "node:os";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";

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

const count = (value: number, what: string) => envTypes.count().default(value).describe(what);

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
  PREFETCH: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: popular images are brought to likely nodes ahead of demand"),
  PREFETCH_SECONDS: envTypes.seconds().default(30).describe("Seconds between looks at what is popular"),
  PREFETCH_WINDOW: count(43_200, "Newest blocks whose assignments make an image popular"),
  PREFETCH_IMAGES: count(8, "Images that are prefetched, the most popular ones"),
  PREFETCH_NODES: count(3, "Nodes that each of them is brought to"),
  PREFETCH_NODE_TRANSFERS: count(1, "Images on their way to one node at which it is asked for no more"),
  PREFETCH_SOURCE_TRANSFERS: count(16, "Images prefetched from one registry at once"),
};

export const readMatchEnv = (source?: Record<string, string | undefined>) => readEnv(matchVariables, source);

export type MatchEnv = ReturnType<typeof readMatchEnv>;
