/** The end of an attempt: the status of the response, or why there was none. */
export type Outcome = {
  httpStatus: number | undefined;
  /** Undefined: the attempt succeeded. */
  error: AttemptError | undefined;
  durationMs: number;
};

export const attemptErrors = {
  status_not_2xx: "The receiver answered with another status than 2xx",
  redirected: "The receiver answered with a redirect, which is not followed",
  timeout: "The receiver did not answer in time",
  connection_failed: "No connection to the receiver, or it broke off",
  host_not_public: "The host has an address that is not public",
  host_unresolved: "The host's name cannot be resolved",
} as const;

export type AttemptError = keyof typeof attemptErrors;

/** Settings of retries, in seconds. */
export type RetryRules = { first: number; longest: number };

/** What follows an attempt. Delays in seconds. */
export type Next = {
  status: "delivered" | "failed" | "pending";
  /** Until the delivery's next attempt. */
  retryIn: number;
  /** Until any attempt at the endpoint. */
  resumeIn: number;
  /** The receiver has gone for good. */
  disables: boolean;
};

/** Failures in a row after which an endpoint is tried with one delivery at a time. */
export const failuresUntilProbing = 3;
const longestPause = 300;

/**
 * Decides what follows an attempt.
 *
 * @param facts.attempt Number of this attempt, from 1.
 * @param facts.failures Failures in a row at the endpoint before it.
 * @param facts.remaining Seconds until the delivery expires.
 * @param facts.jitter From 0 to 1.
 */
export function decideNext(
  outcome: Pick<Outcome, "httpStatus" | "error">,
  facts: { attempt: number; failures: number; remaining: number; jitter: number; rules: RetryRules },
): Next {
  if (outcome.error === undefined) return { status: "delivered", retryIn: 0, resumeIn: 0, disables: false };
  const { attempt, failures, remaining, jitter, rules } = facts;
  const spread = 0.8 + 0.4 * jitter;
  const delay = Math.min(rules.longest, rules.first * 2 ** Math.min(30, attempt - 1)) * spread;
  const over = failures + 1 - failuresUntilProbing;
  return {
    // The last attempt is made when the delivery expires.
    status: remaining <= 0 ? "failed" : "pending",
    retryIn: Math.max(0, Math.min(delay, remaining)),
    resumeIn: over < 0 ? 0 : Math.min(longestPause, rules.first * 2 ** Math.min(30, over) * spread),
    disables: outcome.httpStatus === 410,
  };
}
