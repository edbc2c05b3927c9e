import { envTypes, readEnv } from "@ngpu/runtime/env";
import { FatalError } from "@ngpu/runtime/errors";
import { z } from "zod";

/** Variables of `npm start`; a part without its variable is embedded. */
export const startVariables = {
  CHAIN_RPC_URLS: envTypes
    .urls()
    .optional()
    .describe("JSON-RPC endpoints of an OP-stack chain; unset: the embedded chain"),
  DEPLOYER_KEY: envTypes
    .privateKey()
    .optional()
    .describe("Funded account on that chain that deploys the contracts and funds the services"),
  DATABASE_ADMIN_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/./, "is not a postgres:// URL")
    .refine((url) => URL.canParse(url), "is not a postgres:// URL")
    .optional()
    .describe("Postgres, with a role that may create roles and schemas; unset: the embedded Postgres"),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\/./, "is not a redis:// URL")
    .refine((url) => URL.canParse(url), "is not a redis:// URL")
    .optional()
    .describe("Redis; unset: the system's redis-server on a free port"),
  DOCKER_HOST: z.string().optional().describe("Docker engine (unix:// socket); unset: the system's own"),
  LOG_LEVEL: envTypes
    .logLevel()
    .default("info")
    .describe("Minimum log level of the services' logs in .ngpu/logs"),
};

export type StartEnv = ReturnType<typeof readStartEnv>;

/**
 * @throws FatalError `env_invalid`, naming every invalid variable.
 */
export function readStartEnv() {
  const env = readEnv(startVariables);
  if (env.CHAIN_RPC_URLS !== undefined && env.DEPLOYER_KEY === undefined) {
    throw new FatalError("CHAIN_RPC_URLS is set but DEPLOYER_KEY is not.", {
      code: "deployer_key_missing",
      hint: "Set DEPLOYER_KEY to an account with ETH on that chain, or unset CHAIN_RPC_URLS to use the embedded chain.",
    });
  }
  return env;
}
