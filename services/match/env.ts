import { hostname } from "node:os";
import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv, redisEnv } from "@ngpu/runtime/env";
import { z } from "zod";

const portRange = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/, "is not a range of ports such as 24000-24999")
  .transform((text) => {
    const [first = 0, last = 0] = text.split("-").map(Number);
    return { first, last };
  })
  .refine(
    ({ first, last }) => first >= 1 && last <= 65_535 && first <= last,
    "is not a range of ports from 1 to 65535",
  );

const key = (what: string) => envTypes.privateKey().optional().describe(what);

const count = (value: number, what: string) => envTypes.count().default(value).describe(what);

/** Variables of match. */
export const matchVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  RELAYER_KEY: key(
    "Private key of the account that relays signed messages; it has no power. Needs ACKNOWLEDGER_KEY",
  ),
  ACKNOWLEDGER_KEY: key(
    "Private key that acknowledges heartbeats, and commits nothing; default: this instance serves no sessions",
  ),
  COMMITTER_KEY: key(
    "Private key of the account that commits heartbeats and marks nodes offline; default: another instance does",
  ),
  KEEPER_KEY: key(
    "Private key of the account that releases the leases of lost nodes; default: another instance does",
  ),
  WITNESS_KEY: key(
    "Private key that states which nodes are silent; of another process than KEEPER_KEY; default: another instance does",
  ),
  COSIGNER_KEY: key(
    "Private key that cosigns slots without many nodes; of another process than COMMITTER_KEY; default: another instance does",
  ),
  MEASURE_KEEPER_KEY: key(
    "Private key of the account that requests measurements; default: another instance does",
  ),
  PUBLIC_URL: envTypes
    .url()
    .describe("WebSocket URL at which nodes reach this instance; also the audience of their signature"),
  PROBE_IMAGE: z
    .string()
    .regex(/@sha256:[0-9a-f]{64}$/, "does not end in @sha256:<digest>")
    .describe("Image that nodes run for measurements, reference@sha256:…"),
  PROBE_PORTS: portRange
    .default({ first: 24_000, last: 24_999 })
    .describe(
      "Range of ports for measurements, below those of outgoing connections; nodes keep them reachable",
    ),
  PRIVATE_ADDRESSES: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: accept nodes at private addresses, for a market on one machine or one network"),
  INSTANCE: z
    .string()
    .min(1)
    .max(100)
    .default(`${hostname()}-${process.pid}`)
    .describe("Name of this match instance"),
  LOSS_SECONDS: envTypes
    .seconds()
    .default(4)
    .describe("Seconds that a node may be without a session before its leases are released"),
  LOSS_SHARE: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.2)
    .describe(
      "Maximum share of online capacity that may be lost at the same time; above it nothing is reassigned",
    ),
  LOSS_FLOOR: z.coerce
    .number()
    .int()
    .min(1)
    .default(1)
    .describe(
      "Number of nodes that may be lost at the same time regardless of their share, as long as one remains",
    ),
  PREFETCH: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe("1: prefetch popular images to the nodes that would be chosen next"),
  PREFETCH_SECONDS: envTypes.seconds().default(30).describe("Seconds between prefetch rounds"),
  PREFETCH_WINDOW_BLOCKS: count(43_200, "Number of recent blocks whose assignments are counted"),
  PREFETCH_IMAGES: count(8, "Number of images that are prefetched, most popular first"),
  PREFETCH_NODES: count(3, "Number of nodes to which each image is prefetched"),
  PREFETCH_NODE_TRANSFERS: count(1, "Maximum number of concurrent transfers to one node for one partner"),
  PREFETCH_SOURCE_TRANSFERS: count(
    16,
    "Maximum number of concurrent prefetches from one registry for one partner",
  ),
};

export const readMatchEnv = (source?: Record<string, string | undefined>) => readEnv(matchVariables, source);

export type MatchEnv = ReturnType<typeof readMatchEnv>;
