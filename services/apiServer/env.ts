import {
  chainEnv,
  commonEnv,
  databaseEnv,
  envTypes,
  readEnv,
  redisEnv,
  secretKeysEnv,
  signerEnv,
  webhookKeysEnv,
} from "@ngpu/runtime/env";
import { z } from "zod";

const socketUrls = z
  .string()
  .transform((list) => list.split(",").map((item) => item.trim()))
  .pipe(z.array(z.url({ protocol: /^wss?$/ })).min(1));

/** Variables of apiServer. */
export const apiServerVariables = {
  ...commonEnv,
  ...chainEnv,
  ...databaseEnv,
  ...redisEnv,
  ...signerEnv,
  ...webhookKeysEnv,
  ...secretKeysEnv,
  INTERNAL_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("Address on which apiServer serves /healthz and /metrics; not for the public"),
  INTERNAL_PORT: envTypes
    .port()
    .default(0)
    .describe("Port on which apiServer serves /healthz and /metrics; 0 picks a free one"),
  PUBLIC_URL: envTypes.url().describe("URL at which partners call the API; also the domain of their sign-in"),
  GATEWAY_URL: envTypes.url().describe("URL at which apiServer reaches the gateway"),
  GATEWAY_TOKEN: z
    .string()
    .min(32, "is shorter than 32 characters")
    .describe("Secret shared with the gateway"),
  GATEWAY_URLS: envTypes.urls().describe("URLs at which nodes open tunnels, comma-separated"),
  MATCH_URLS: socketUrls.describe("WebSocket URLs at which nodes open sessions, comma-separated"),
  PUBLIC_RPC_URLS: envTypes.urls().describe("JSON-RPC endpoints that nodes may use, comma-separated"),
  PROBE_IMAGE: z
    .string()
    .regex(/^.+@sha256:[0-9a-f]{64}$/, "is not a reference with a digest")
    .describe("Image that nodes run for measurements: reference@sha256:digest"),
  TRUSTED_PROXIES: z
    .string()
    .default("")
    .transform((list) => list.split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()])))
    .pipe(
      z.array(
        z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], "is not a list of addresses and subnets"),
      ),
    )
    .describe(
      "Addresses and subnets of the proxies before apiServer, comma-separated: only their x-forwarded-for names a caller",
    ),
  PRIVATE_ADDRESSES: z
    .enum(["0", "1"])
    .default("0")
    .transform((value) => value === "1")
    .describe(
      "1: read images' manifests and accept webhooks at private addresses, for a market on one machine or one network",
    ),
  FAUCET_KEY: envTypes
    .privateKey()
    .optional()
    .describe("Private key of the faucet's account; only for markets whose tokens are worth nothing"),
  FILES_FOLDER: z
    .string()
    .default(".ngpu/files")
    .describe("Folder with the encrypted files of accounts; all instances of apiServer need the same one"),
  FILES_QUOTA_BYTES: envTypes
    .count()
    .default(20_000_000_000)
    .describe("Most bytes that one account may have in all its files"),
  TEMPLATES_FILE: z
    .string()
    .optional()
    .describe("JSON file with the market's templates; without it there are none"),
  CLIENT_RELEASES: z
    .string()
    .optional()
    .describe(
      "Output directory of npm run client:release; without it operators cannot install the node client from this API",
    ),
};

export const readApiEnv = () => readEnv(apiServerVariables);

export type ApiEnv = ReturnType<typeof readApiEnv>;
