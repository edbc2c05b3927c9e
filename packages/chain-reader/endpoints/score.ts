/** What is known of an endpoint. */
export type Standing = {
  /** Milliseconds an answer takes, smoothed; undefined before the first. */
  latency: number | undefined;
  /** Share of questions that failed, smoothed. */
  faultRate: number;
  /** Faults since the last good answer. */
  faultsInRow: number;
  /** The newest block it spoke of. */
  head: bigint | undefined;
  /** Milliseconds of the clock until which it is left alone. */
  restsUntil: number;
};

// Weight of the newest measure.
const smoothing = 0.2;
// A latency for those that were never asked: they are tried early.
const assumedLatency = 50;
const faultPenalty = 20;
const lagPenaltyMs = 500;
// Blocks that endpoints differ by without any being at fault.
const usualLag = 2n;
const shortestRest = 1_000;
const longestRest = 60_000;

export const newcomer: Standing = {
  latency: undefined,
  faultRate: 0,
  faultsInRow: 0,
  head: undefined,
  restsUntil: 0,
};

export function answered(standing: Standing, milliseconds: number): Standing {
  const { latency = milliseconds, faultRate } = standing;
  return {
    ...standing,
    latency: latency + smoothing * (milliseconds - latency),
    faultRate: faultRate * (1 - smoothing),
    faultsInRow: 0,
    restsUntil: 0,
  };
}

/** Leaves the endpoint alone for a time that doubles with each further fault. */
export function failed(standing: Standing, now: number): Standing {
  const { faultRate, faultsInRow } = standing;
  return {
    ...standing,
    faultRate: faultRate + smoothing * (1 - faultRate),
    faultsInRow: faultsInRow + 1,
    restsUntil: now + Math.min(longestRest, shortestRest * 2 ** Math.min(faultsInRow, 10)),
  };
}

/** Expected cost of asking, in milliseconds: less is better. @param best The newest block that any endpoint speaks of. */
export function scoreOf({ latency = assumedLatency, faultRate, head }: Standing, best: bigint): number {
  const behind = head === undefined || best - head <= usualLag ? 0n : best - head;
  return latency * (1 + faultPenalty * faultRate) + lagPenaltyMs * Number(behind > 1_000n ? 1_000n : behind);
}

// How much better another must be before the present one is left: two endpoints rarely hold quite the same view.
const leaveAt = 0.5;

/**
 * The order in which endpoints are asked: rested ones by score, those that rest after them, by how soon they return.
 *
 * @param present Index of the one that was asked last.
 */
export function orderOf(standings: readonly Standing[], present: number, now: number): number[] {
  const best = standings.reduce((most, { head }) => (head !== undefined && head > most ? head : most), 0n);
  const rank = standings.map((standing, index) => {
    const score = scoreOf(standing, best);
    return { index, rests: standing.restsUntil > now, score: index === present ? score * leaveAt : score };
  });
  return rank
    .sort((a, b) =>
      a.rests !== b.rests
        ? Number(a.rests) - Number(b.rests)
        : a.rests
          ? restOf(standings, a.index) - restOf(standings, b.index)
          : a.score - b.score,
    )
    .map(({ index }) => index);
}

function restOf(standings: readonly Standing[], index: number): number {
  return standings[index]?.restsUntil ?? 0;
}
