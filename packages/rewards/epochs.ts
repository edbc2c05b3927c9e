/** The deployment's parameters that define epochs: Unix time of the genesis, and lengths in seconds. */
export type Periods = { genesis: number; epochSeconds: number; settlementSeconds: number };

export type EpochWindow = {
  number: number;
  startsAt: number;
  endsAt: number;
  /**
   * End of settlement: blocks from this second on do not count. Until then disputes, challenges and measurements of the epoch
   * reach the chain, so nothing is granted before the evidence against it could have come.
   */
  settledAt: number;
};

/** Epoch n covers [genesis + (n − 1) × length, genesis + n × length). */
export function windowOf(number: number, periods: Periods): EpochWindow {
  const startsAt = periods.genesis + (number - 1) * periods.epochSeconds;
  const endsAt = startsAt + periods.epochSeconds;
  return { number, startsAt, endsAt, settledAt: endsAt + periods.settlementSeconds };
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
  const last = Math.floor((chainTime - periods.settlementSeconds - periods.genesis) / periods.epochSeconds);
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

/** The slots that begin in an epoch. */
export function slotsOfEpoch(
  window: EpochWindow,
  slotSeconds: number,
): { firstSlot: number; endSlot: number } {
  return {
    firstSlot: Math.ceil(window.startsAt / slotSeconds),
    endSlot: Math.ceil(window.endsAt / slotSeconds),
  };
}

/** The days whose presence becomes final in an epoch: after `after`, up to the last one whose evidence is complete. */
export function finalDays(
  settledAt: number,
  after: number,
  periods: { daySeconds: number; heartbeatWindowSeconds: number },
): number[] {
  const last = Math.floor((settledAt - periods.heartbeatWindowSeconds) / periods.daySeconds) - 1;
  return Array.from({ length: Math.max(0, last - after) }, (_, place) => after + 1 + place);
}

/** The slots that begin in a day. */
export function slotsOfDay(day: number, periods: { daySeconds: number; slotSeconds: number }) {
  const begin = day * periods.daySeconds;
  return {
    firstSlot: Math.ceil(begin / periods.slotSeconds),
    endSlot: Math.ceil((begin + periods.daySeconds) / periods.slotSeconds),
  };
}
