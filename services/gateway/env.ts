import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of the gateway. */
export const gatewayVariables = {
  ...commonEnv,
  ...databaseEnv,
  DEPLOYMENT_FILE: chainEnv.DEPLOYMENT_FILE,
  PUBLIC_URL: envTypes
    .url()
    .describe("URL at which nodes open tunnels; also the audience of their signature"),
  GATEWAY_TOKEN: z.string().min(32, "is shorter than 32 characters").describe("Secret shared with apiServer"),
  INSTANCE: z.string().min(1).max(100).default("gateway-1").describe("Name of this gateway instance"),
};

export const readGatewayEnv = () => readEnv(gatewayVariables);

export type GatewayEnv = ReturnType<typeof readGatewayEnv>;
