import { ApiError, ApiUnreachableError } from "./errors.ts";

/** Statuses that the API documents as temporary. */
const temporary = [429, 502, 503, 504];
/** Causes of a connection that never was: the API has not seen the request. */
const neverSent = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH"];
/** Longest pause that is waited out, ms. A longer one is the caller's to decide. */
const longestPause = 60_000;

/**
 * Whether a failed request may be sent again. One that may have had an effect is repeated only if a repetition has none: a read,
 * a deletion, or a write with an Idempotency-Key.
 */
export function mayRetry(error: unknown, isRepeatable: boolean): boolean {
  if (error instanceof ApiUnreachableError) {
    return wasNeverSent(error) || (isRepeatable && !isTimeout(error.cause));
  }
  if (!(error instanceof ApiError) || !temporary.includes(error.status)) return false;
  // The API counts a request before it does anything.
  if (error.status !== 429 && !isRepeatable) return false;
  return error.retryAfter === undefined || error.retryAfter * 1000 <= longestPause;
}

/** Milliseconds until the next attempt: what the API asks for, else a random time below a limit that doubles. */
export function pauseBefore(attempt: number, error: unknown, random = Math.random): number {
  const asked = error instanceof ApiError ? error.retryAfter : undefined;
  const limit = Math.min(8_000, 500 * 2 ** attempt);
  // Callers that were refused together come back apart.
  return asked === undefined ? random() * limit : asked * 1000 + random() * 250;
}

function wasNeverSent({ cause }: Error): boolean {
  const reason = cause instanceof Error ? (cause.cause as { code?: unknown } | undefined) : undefined;
  return typeof reason?.code === "string" && neverSent.includes(reason.code);
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && (cause.name === "TimeoutError" || cause.name === "AbortError");
}

/** Waits. Resolves early when the signal aborts. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done, { once: true });
  });
}
