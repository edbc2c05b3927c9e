/** When requests may be sent to an endpoint. Times are `performance.now()`, in milliseconds. */
export type Pace = {
  /** Milliseconds between requests; 0 for no limit. */
  interval: number;
  /** Time of the next request. */
  next: number;
};

export const unlimited: Pace = { interval: 0, next: 0 };

const shortest = 20;
const longest = 2_000;
/** Factor of the interval after each success. */
const easing = 0.9;
/** Longest pause that an endpoint may ask for. */
const maxPause = 60_000;
/** Pause when the endpoint names none. */
const defaultPause = 250;

/** The pace after a refusal because of the rate: a pause, then half the rate. */
export function afterRateLimit(
  { interval, next }: Pace,
  now: number,
  retryAfterMs: number | undefined = defaultPause,
): Pace {
  // The refusals of requests that were sent together count once.
  const slower = next > now ? interval : Math.min(longest, Math.max(shortest, 2 * interval));
  return { interval: slower, next: Math.max(next, now + Math.min(maxPause, retryAfterMs)) };
}

/** The pace after a success. */
export function afterServed(pace: Pace): Pace {
  const interval = pace.interval * easing;
  return { ...pace, interval: interval < shortest / 2 ? 0 : interval };
}

/** The time at which a request may be sent, and the pace with that time taken. */
export function takeTurn({ interval, next }: Pace, now: number): { at: number; pace: Pace } {
  const at = Math.max(now, next);
  return { at, pace: { interval, next: at + interval } };
}
