import { chainEnv, commonEnv, databaseEnv, readEnv, signerEnv } from "../shared/env.ts";

export const pomcEnv = { ...commonEnv, ...chainEnv, ...databaseEnv, ...signerEnv };

export const readPomcEnv = () => readEnv(pomcEnv);
