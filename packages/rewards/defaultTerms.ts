import { newestCatalogue, trialCatalogue } from "./catalogue.ts";
import type { ClassTerms, RewardTerms } from "./terms.ts";

const token = 10n ** 18n;
const hour = 3_600;

/**
 * What one hour of one unit earns at most, token units, and the highest price of one unit and second. A unit is a thousandth
 * of a core, or a MiB of GPU memory. docs/rewards.md derives them from idle cost.
 */
const classes = [
  { weight: 20_000n, ratePerHour: 25_000_000_000n, ceiling: 300_000_000_000n },
  { weight: 180_000n, ratePerHour: 200_000_000_000n, ceiling: 200_000_000_000n },
  { weight: 400_000n, ratePerHour: 200_000_000_000n, ceiling: 300_000_000_000n },
  { weight: 400_000n, ratePerHour: 200_000_000_000n, ceiling: 400_000_000_000n },
];

/** The terms that a market begins with. */
export function defaultTerms({ slotSeconds }: { slotSeconds: number }): RewardTerms {
  return {
    measurerBasisPoints: 200,
    taskBasisPoints: 1_000,
    nodeTaskBasisPoints: 4_500,
    payerTaskBasisPoints: 4_500,
    measurerRate: token / 100n,
    bond: token,
    bondEpochs: 24,
    bondDays: 7,
    bondUptimePermille: 900,
    catalogue: newestCatalogue,
    classes: classes.map(
      ({ weight, ratePerHour, ceiling }): ClassTerms => ({
        weight,
        rate: (ratePerHour * BigInt(slotSeconds)) / BigInt(hour),
        ceiling,
      }),
    ),
  };
}

/** The terms of a market of `npm start`: rewards that are visible within seconds, and a small bond. Its tokens are worth nothing. */
export function trialTerms(periods: { slotSeconds: number }): RewardTerms {
  const terms = defaultTerms(periods);
  return {
    ...terms,
    catalogue: trialCatalogue,
    bond: token / 10n,
    bondEpochs: 0,
    bondDays: 1,
    classes: terms.classes.map((one) => ({ ...one, rate: token / 1_000n, ceiling: 2n ** 64n - 1n })),
  };
}
