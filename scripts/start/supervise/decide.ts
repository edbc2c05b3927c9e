/** State of a part between two starts. */
export type Life = {
  /** Consecutive failures to start or stay up for a minute. */
  failures: number;
  /** Time in ms at which it became healthy; undefined while it is down. */
  healthySince: number | undefined;
};

export type Verdict = {
  /** Delay before the next start, in ms. */
  delayMs: number;
  /** The part keeps ending and is now restarted rarely. True once in a row of failures. */
  givesUp: boolean;
  life: Life;
};

const FIRST_DELAY_MS = 500;
export const SLOW_DELAY_MS = 60_000;
/** After this time in health, earlier failures do not count. */
export const STEADY_MS = 60_000;
/** Number of consecutive failures after which a part counts as one that keeps ending. */
export const TOO_MANY = 5;

export function begun(now: number): Life {
  return { failures: 0, healthySince: now };
}

/** The part has ended by itself, or could not be started. */
export function failed(life: Life, now: number): Verdict {
  const wasSteady = life.healthySince !== undefined && now - life.healthySince >= STEADY_MS;
  const failures = wasSteady ? 1 : life.failures + 1;
  return {
    delayMs: failures >= TOO_MANY ? SLOW_DELAY_MS : FIRST_DELAY_MS * 2 ** (failures - 1),
    givesUp: failures === TOO_MANY,
    life: { failures, healthySince: undefined },
  };
}

/** The part is healthy again. */
export function recovered(life: Life, now: number): Life {
  return { ...life, healthySince: now };
}
