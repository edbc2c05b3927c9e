import { FatalError } from "@ngpu/runtime/errors";
import { type PeriodName, periodOptions } from "./options.ts";

export type Periods = Record<PeriodName, number>;

/** For a chain that starts afresh: a journey takes a minute. */
const embedded: Periods = {
  slotSeconds: 4,
  epochSeconds: 20,
  activationDelay: 4,
  heartbeatWindowSeconds: 60,
  daySeconds: 120,
  uptimeDelay: 4,
  // Two blocks in which the draw can be committed.
  measureLeadSeconds: 6,
  measureWindowSeconds: 30,
  measureTtlSeconds: 3_600,
};

/** For a chain that stays. */
const lasting: Periods = {
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
 * The periods to deploy with: those asked for, else those of an earlier deployment, else the defaults.
 *
 * @param deployed Those of the deployment that is there already; they cannot change any more.
 * @throws FatalError `periods_fixed` when others are asked for than were deployed.
 */
export function choosePeriods(options: {
  isEmbedded: boolean;
  asked: Partial<Periods>;
  deployed: Partial<Periods> | undefined;
}): Periods {
  const { asked, deployed } = options;
  const periods = { ...(options.isEmbedded ? embedded : lasting), ...deployed, ...asked };
  for (const [name, [option]] of Object.entries(periodOptions)) {
    const fixed = deployed?.[name as PeriodName];
    const wanted = asked[name as PeriodName];
    if (fixed === undefined || wanted === undefined || fixed === wanted) continue;
    throw new FatalError(`The market on this chain was deployed with ${option} ${fixed}, not ${wanted}.`, {
      code: "periods_fixed",
      hint: `Omit ${option}, or deploy another market with a different --state-dir.`,
    });
  }
  return periods;
}
