import { commonEnv, readEnv } from "@ngpu/runtime/env";
import { z } from "zod";

/** Variables of the registry. */
export const registryVariables = {
  ...commonEnv,
  IMAGE_STORE: z.string().describe("Directory of the market's own images, served at /v2/"),
};

export type RegistrySettings = ReturnType<typeof readRegistryEnv>;

/** Reads the settings of the registry; called once at start. */
export function readRegistryEnv(source?: Record<string, string | undefined>) {
  return readEnv(registryVariables, source);
}
