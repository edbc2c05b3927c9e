import { chainEnv, commonEnv, databaseEnv, envTypes, readEnv } from "@ngpu/runtime/env";
import { FatalError } from "@ngpu/runtime/errors";

const ownEnv = {
  POSTER_KEY: envTypes
    .privateKey()
    .optional()
    .describe("Private key of the poster of epochs and uptime; without it, this process posts neither"),
  RECEIPTS_POSTER_KEY: envTypes
    .privateKey()
    .optional()
    .describe(
      "Private key of the poster of task receipts; without it, this process posts none. A production market runs it in another process",
    ),
};

/** Variables of pomc. */
export const pomcVariables = { ...commonEnv, ...chainEnv, ...databaseEnv, ...ownEnv };

export const readPomcEnv = () => readEnv(pomcVariables);

/** @throws FatalError `pomc_key_missing` without any key to post with. */
export function requireKey(env: ReturnType<typeof readPomcEnv>): void {
  if (env.POSTER_KEY !== undefined || env.RECEIPTS_POSTER_KEY !== undefined) return;
  throw new FatalError("pomc has no key to post with.", {
    code: "pomc_key_missing",
    hint: "Set POSTER_KEY for epochs and uptime, or RECEIPTS_POSTER_KEY for task receipts.",
  });
}
