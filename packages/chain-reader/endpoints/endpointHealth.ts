/** Recent performance of an endpoint. */
export type EndpointHealth = {
  /** Smoothed response time in milliseconds; undefined before the first response. */
  latency: number | undefined;
  /** Smoothed share of failed requests. */
  errorRate: number;
  /** Errors since the last successful response. */
  consecutiveErrors: number;
  /** The newest block it returned. */
  head: bigint | undefined;
  /** Time (`performance.now()`, ms) until which it is used only if no other endpoint is available. */
  cooldownUntil: number;
};

// Weight of the newest sample.
const smoothing = 0.2;
// Assumed latency of an endpoint that was never used. It is low, so that such an endpoint is tried early.
const assumedLatency = 50;
const errorPenalty = 20;
const lagPenaltyMs = 500;
// Blocks by which healthy endpoints may differ.
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

/** The health after a successful response. */
export function afterSuccess(health: EndpointHealth, milliseconds: number): EndpointHealth {
  const { latency = milliseconds, errorRate } = health;
  return {
    ...health,
    latency: latency + smoothing * (milliseconds - latency),
    errorRate: errorRate * (1 - smoothing),
    consecutiveErrors: 0,
    cooldownUntil: 0,
  };
}

/** The health after an error. The cooldown doubles with each consecutive error. */
export function afterError(health: EndpointHealth, now: number): EndpointHealth {
  const { errorRate, consecutiveErrors } = health;
  return {
    ...health,
    errorRate: errorRate + smoothing * (1 - errorRate),
    consecutiveErrors: consecutiveErrors + 1,
    cooldownUntil: now + Math.min(maxCooldown, minCooldown * 2 ** Math.min(consecutiveErrors, 10)),
  };
}

/** Expected cost of a request in milliseconds; lower is better. @param best The newest block of any endpoint. */
export function scoreOf({ latency = assumedLatency, errorRate, head }: EndpointHealth, best: bigint): number {
  const behind = head === undefined || best - head <= toleratedLag ? 0n : best - head;
  return latency * (1 + errorPenalty * errorRate) + lagPenaltyMs * Number(behind > 1_000n ? 1_000n : behind);
}

// Score factor of the endpoint in use: another one must be twice as good, because views of endpoints differ slightly.
const switchFactor = 0.5;

/**
 * The order in which endpoints are tried: by score, then those in cooldown by the end of their cooldown.
 *
 * @param current Index of the endpoint in use.
 * @param now `performance.now()`
 */
export function orderOf(healthByEndpoint: readonly EndpointHealth[], current: number, now: number): number[] {
  const best = healthByEndpoint.reduce(
    (most, { head }) => (head !== undefined && head > most ? head : most),
    0n,
  );
  const rank = healthByEndpoint.map((health, index) => {
    const score = scoreOf(health, best);
    return {
      index,
      coolingDown: health.cooldownUntil > now,
      score: index === current ? score * switchFactor : score,
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
