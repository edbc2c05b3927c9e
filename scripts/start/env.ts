import { z } from "zod";
import { envTypes, readEnv } from "../../services/shared/env.ts";

/** What `npm start` reads; everything left out is embedded. */
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
    .regex(/^postgres(ql)?:\/\//, "is not a postgres:// URL")
    .optional()
    .describe("Postgres, with a role that may create roles and schemas; unset: the embedded Postgres"),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, "is not a redis:// URL")
    .optional()
    .describe("Redis; unset: the system's redis-server on a free port"),
  DOCKER_HOST: z.string().optional().describe("Docker engine (unix:// socket); unset: the system's own"),
  LOG_LEVEL: envTypes
    .logLevel()
    .default("info")
    .describe("Least severe log level that services write to .ngpu/logs"),
};

export const readStartEnv = () => readEnv(startVariables);
export type StartEnv = ReturnType<typeof readStartEnv>;
