import { z } from "zod";
import { FatalError } from "./errors.ts";
import { renamedVariables } from "./renamedVariables.ts";

/**
 * Reads a service's settings from the environment and reports all errors together.
 * An empty variable counts as unset: `NAME=` in an env file selects the default.
 *
 * @param shape One zod schema for each variable; `.describe()` sets its description.
 * @throws FatalError `env_invalid`, listing each variable that is missing, invalid or set by a previous name.
 */
export function readEnv<Shape extends z.ZodRawShape>(
  shape: Shape,
  source: Record<string, string | undefined> = process.env,
): z.infer<z.ZodObject<Shape>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(shape)) {
    const value = source[name];
    if (value !== undefined && value !== "") given[name] = value;
  }
  const parsed = z.object(shape).safeParse(given);
  const renamed = outdatedNames(shape, source);
  if (parsed.success && renamed.length === 0) return parsed.data;
  const errors = (parsed.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    const meaning = (shape[name] as z.ZodType | undefined)?.description;
    const failure = name in given ? issue.message : "is not set";
    return `  ${name} ${failure}${meaning === undefined ? "" : ` (${meaning})`}`;
  });
  const list = [...new Set(errors), ...renamed.map(({ old, name }) => `  ${old} is now ${name}`)].join("\n");
  throw new FatalError(`The environment is not valid:\n${list}`, {
    code: "env_invalid",
    hint: "Set these variables; .env.example describes every variable.",
    details: { variables: Object.keys(shape).filter((name) => errors.some((f) => f.includes(` ${name} `))) },
  });
}

/** Variables of the shape that are set by a previous name, which would be ignored. */
function outdatedNames(
  shape: z.ZodRawShape,
  source: Record<string, string | undefined>,
): { old: string; name: string }[] {
  return Object.entries(renamedVariables)
    .flatMap(([old, names]) => [names].flat().map((name) => ({ old, name })))
    .filter(({ old, name }) => name in shape && !(old in shape) && Boolean(source[old]));
}

/** Schemas of values that several services read. */
export const envTypes = {
  url: () => z.url(),
  urls: () =>
    z
      .string()
      .transform((list) => list.split(",").map((item) => item.trim()))
      .pipe(z.array(z.url()).min(1)),
  port: () => z.coerce.number().int().min(0).max(65535),
  privateKey: () =>
    z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}$/, "is not a private key (0x and 64 hexadecimal digits)")
      .transform((v) => v as `0x${string}`),
  address: () =>
    z
      .string()
      .regex(/^0x[0-9a-fA-F]{40}$/, "is not an address (0x and 40 hexadecimal digits)")
      .transform((v) => v as `0x${string}`),
  seconds: () => z.coerce.number().positive(),
  count: () => z.coerce.number().int().min(1),
  logLevel: () => z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]),
};

/** Variables of every service. */
export const commonEnv = {
  LOG_LEVEL: envTypes.logLevel().default("info").describe("Minimum log level"),
  HOST: z.string().default("127.0.0.1").describe("Address the service listens on"),
  PORT: envTypes.port().default(0).describe("Port the service listens on; 0 picks a free one"),
};

/** Variables of every service that follows the chain or sends transactions. */
export const chainEnv = {
  CHAIN_RPC_URLS: envTypes.urls().describe("JSON-RPC endpoints of the OP-stack chain, comma-separated"),
  DEPLOYMENT_FILE: z
    .string()
    .default(".ngpu/deployment.json")
    .describe("File with the chain id, the start block and the contracts' addresses"),
};

export const databaseEnv = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "is not a postgres:// URL")
    .describe("Postgres URL, with the role of this service"),
};

export const redisEnv = {
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, "is not a redis:// URL")
    .describe("Redis URL, for queues"),
};

export const signerEnv = {
  SIGNER_KEY: envTypes
    .privateKey()
    .describe("Private key of the account that sends this service's transactions"),
};

const keyList = () =>
  z
    .string()
    .transform((list) => list.split(",").map((item) => item.trim()))
    .pipe(z.tuple([z.string().min(32, "has a key shorter than 32 characters")]).rest(z.string().min(32)));

export const webhookKeysEnv = {
  WEBHOOK_KEYS: keyList().describe(
    "Keys from which the secrets of webhooks are derived, newest first, comma-separated",
  ),
};

export const secretKeysEnv = {
  SECRET_KEYS: keyList().describe(
    "Keys by which the secrets of workspaces are encrypted in Postgres, newest first, comma-separated",
  ),
};
