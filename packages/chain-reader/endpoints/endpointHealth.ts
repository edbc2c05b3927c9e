/** What is known of an endpoint. */
export type EndpointHealth = {
  /** Milliseconds an answer takes, smoothed; undefined before the first. */
  latency: number | undefined;
  /** Share of questions that failed, smoothed. */
  errorRate: number;
  /** Faults since the last good answer. */
  consecutiveErrors: number;
  /** The newest block it spoke of. */
  head: bigint | undefined;
  /** Milliseconds of the clock until which it is left alone. */
  cooldownUntil: number;
};

// Weight of the newest measure.
const smoothing = 0.2;
// A latency for those that were never asked: they are tried early.
const assumedLatency = 50;
const errorPenalty = 20;
const lagPenaltyMs = 500;
// Blocks that endpoints differ by without any being at fault.
const toleratedLag = 2n;
const minCooldown = 1_000;
const maxCooldown = 60_000;

export const initialHealth: EndpointHealth = {
  latency: undefined,
  errorRate: 0,
  consecutiveErrors: 0,
  head: undefined,
  cooldownUntil: 0,
};

export function answered(health: EndpointHealth, milliseconds: number): EndpointHealth {
  const { latency = milliseconds, errorRate } = health;
  return {
    ...health,
    latency: latency + smoothing * (milliseconds - latency),
    errorRate: errorRate * (1 - smoothing),
    consecutiveErrors: 0,
    cooldownUntil: 0,
  };
}

/** Leaves the endpoint alone for a time that doubles with each further fault. */
export function failed(health: EndpointHealth, now: number): EndpointHealth {
  const { errorRate, consecutiveErrors } = health;
  return {
    ...health,
    errorRate: errorRate + smoothing * (1 - errorRate),
    consecutiveErrors: consecutiveErrors + 1,
    cooldownUntil: now + Math.min(maxCooldown, minCooldown * 2 ** Math.min(consecutiveErrors, 10)),
  };
}

/** Expected cost of asking, in milliseconds: less is better. @param best The newest block that any endpoint speaks of. */
export function scoreOf({ latency = assumedLatency, errorRate, head }: EndpointHealth, best: bigint): number {
  const behind = head === undefined || best - head <= toleratedLag ? 0n : best - head;
  return latency * (1 + errorPenalty * errorRate) + lagPenaltyMs * Number(behind > 1_000n ? 1_000n : behind);
}

// How much better another must be before the present one is left: two endpoints rarely hold quite the same view.
const switchFactor = 0.5;

/**
 * The order in which endpoints are asked: rested ones by score, those that rest after them, by how soon they return.
 *
 * @param present Index of the one that was asked last.
 */
export function orderOf(healthByEndpoint: readonly EndpointHealth[], present: number, now: number): number[] {
  const best = healthByEndpoint.reduce(
    (most, { head }) => (head !== undefined && head > most ? head : most),
    0n,
  );
  const rank = healthByEndpoint.map((health, index) => {
    const score = scoreOf(health, best);
    return {
      index,
      coolingDown: health.cooldownUntil > now,
      score: index === present ? score * switchFactor : score,
    };
  });
  return rank
    .sort((a, b) =>
      a.coolingDown !== b.coolingDown
        ? Number(a.coolingDown) - Number(b.coolingDown)
        : a.coolingDown
          ? cooldownOf(healthByEndpoint, a.index) - cooldownOf(healthByEndpoint, b.index)
          : a.score - b.score,
    )
    .map(({ index }) => index);
}

function cooldownOf(healthByEndpoint: readonly EndpointHealth[], index: number): number {
  return healthByEndpoint[index]?.cooldownUntil ?? 0;
}
