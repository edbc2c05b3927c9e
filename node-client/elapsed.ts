/** Milliseconds by which the engine's clock may be ahead. */
const tolerance = 2_000;

/**
 * Milliseconds from a time to now. A time in the future means that the machine's clock was set back: how long ago it was is not known,
 * and counts as long, so that nothing waits for the clock to catch up.
 */
export function elapsed(now: number, since: number): number {
  return since > now + tolerance ? Number.POSITIVE_INFINITY : Math.max(0, now - since);
}
