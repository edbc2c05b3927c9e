import type { Deployment } from "@ngpu/contracts-sdk/deployment";

/** The deployment's parameters that define epochs: Unix time of the genesis, and lengths in seconds. */
export type Periods = Pick<Deployment["parameters"], "genesis" | "epochSeconds" | "slotSeconds">;

export type EpochWindow = {
  number: number;
  startsAt: number;
  endsAt: number;
  /** End of settlement: blocks from this second on do not count. Heartbeats of a slot are posted within two slots after it. */
  settledAt: number;
};

/** Epoch n covers [genesis + (n − 1) × length, genesis + n × length). */
export function windowOf(number: number, periods: Periods): EpochWindow {
  const startsAt = periods.genesis + (number - 1) * periods.epochSeconds;
  const endsAt = startsAt + periods.epochSeconds;
  return { number, startsAt, endsAt, settledAt: endsAt + 2 * periods.slotSeconds };
}

export type EpochDecision =
  | { type: "wait"; until: number }
  /** Close every epoch from `from` to `to`, then post the last one. */
  | { type: "close"; from: number; to: number };

/**
 * Decides which epochs to close now.
 *
 * @param chainTime Unix time of the safe head, seconds.
 * @param closed Number of the last epoch that was closed, 0 for none.
 */
export function decideEpoch(chainTime: number, closed: number, periods: Periods): EpochDecision {
  const next = windowOf(closed + 1, periods);
  if (chainTime < next.settledAt) return { type: "wait", until: next.settledAt };
  const lag = 2 * periods.slotSeconds;
  const last = Math.floor((chainTime - lag - periods.genesis) / periods.epochSeconds);
  return { type: "close", from: closed + 1, to: last };
}

/** Adds the grants of an epoch to the earlier ones, by account. */
export function addShares(
  before: ReadonlyMap<string, bigint>,
  shares: readonly { account: string; amount: bigint }[],
): Map<string, bigint> {
  const after = new Map(before);
  for (const { account, amount } of shares) {
    if (amount > 0n) after.set(account, (after.get(account) ?? 0n) + amount);
  }
  return after;
}
