import { chainEnv, commonEnv, databaseEnv, readEnv, signerEnv } from "../shared/env.ts";

/** Variables of pomc. */
export const pomcVariables = { ...commonEnv, ...chainEnv, ...databaseEnv, ...signerEnv };

export const readPomcEnv = () => readEnv(pomcVariables);
