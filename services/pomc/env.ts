import { chainEnv, commonEnv, databaseEnv, readEnv, signerEnv } from "@ngpu/runtime/env";
import { z } from "zod";
import type { BondTerms } from "./bond/decide.ts";

const bondEnv = {
  BOND: z
    .string()
    .regex(/^\d{1,30}$/, "is not an amount in token units (1 NGPU = 10^18)")
    .default("100000000000000000000")
    .describe("Token units withheld from each node's first rewards until its bond is served"),
  BOND_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .default(7)
    .describe("Days of uptime after which a node's bond is returned"),
  BOND_UPTIME_PERMILLE: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(900)
    .describe("Minimum presence per day, in thousandths of its slots, for the day to count for the bond"),
};

/** Variables of pomc. */
export const pomcVariables = { ...commonEnv, ...chainEnv, ...databaseEnv, ...signerEnv, ...bondEnv };

export const readPomcEnv = () => readEnv(pomcVariables);

/** The terms of bonds from the environment. */
export function bondTermsOf(env: ReturnType<typeof readPomcEnv>): BondTerms {
  return { amount: BigInt(env.BOND), days: env.BOND_DAYS, uptimePermille: env.BOND_UPTIME_PERMILLE };
}
