import { FatalError } from "@ngpu/runtime/errors";
import { type PeriodName, periodOptions } from "./options.ts";

export type Periods = Record<PeriodName, number>;

/** For a chain that is reset at each start: a journey takes a minute. */
const embedded: Periods = {
  slotSeconds: 3,
  epochSeconds: 3,
  activationDelay: 1,
  heartbeatWindowSeconds: 60,
  daySeconds: 120,
  uptimeDelay: 2,
  // Two blocks, which draw the measurers.
  measureLeadSeconds: 2,
  measureWindowSeconds: 30,
  measureTtlSeconds: 3_600,
};

/** For a persistent chain. */
const persistent: Periods = {
  slotSeconds: 60,
  epochSeconds: 3_600,
  activationDelay: 1_800,
  heartbeatWindowSeconds: 3_600,
  daySeconds: 86_400,
  uptimeDelay: 3_600,
  measureLeadSeconds: 30,
  measureWindowSeconds: 300,
  measureTtlSeconds: 86_400,
};

/**
 * The periods to deploy with: the requested ones, else those of an earlier deployment, else the defaults.
 *
 * @param deployed Periods of the existing deployment; they cannot change.
 * @throws FatalError `period_mismatch` when a requested period differs from the deployed one.
 */
export function choosePeriods(options: {
  isEmbedded: boolean;
  asked: Partial<Periods>;
  deployed: Partial<Periods> | undefined;
}): Periods {
  const { asked, deployed } = options;
  const periods = { ...(options.isEmbedded ? embedded : persistent), ...deployed, ...asked };
  for (const [name, [option]] of Object.entries(periodOptions)) {
    const fixed = deployed?.[name as PeriodName];
    const wanted = asked[name as PeriodName];
    if (fixed === undefined || wanted === undefined || fixed === wanted) continue;
    throw new FatalError(`The market on this chain was deployed with ${option} ${fixed}, not ${wanted}.`, {
      code: "period_mismatch",
      hint: `Omit ${option}, or deploy another market with a different --state-dir.`,
    });
  }
  return periods;
}
