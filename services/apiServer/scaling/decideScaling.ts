import { hasStopped, type Scaling } from "@ngpu/protocol/scaling";

/** What is remembered of a workspace between two looks. Times are Unix seconds. */
export type ScalingState = {
  /** Since when fewer replicas are enough; null: as many as there are, or more, are needed. */
  lowerSince: number | null;
  /** The most replicas that were needed since then. */
  peak: number;
  /** Replicas from this number on take no more requests; null: all take them. */
  drainFrom: number | null;
  drainSince: number | null;
};

export type ScalingFacts = {
  scaling: Scaling;
  now: number;
  /** The number of replicas on the chain. */
  replicas: number;
  /** The numbers of the replicas that can serve. */
  serving: readonly number[];
  /** Whether its owner stopped it. */
  stopped: boolean;
  /** Requests in progress, those that wait included; those that began and ended since the last look count by their durations. */
  demand: number;
  /** When the oldest request was sent that has not ended; null: there is none. */
  oldestSentAt: number | null;
};

export const settled: ScalingState = { lowerSince: null, peak: 0, drainFrom: null, drainSince: null };

/** Seconds after which every gateway knows which replicas take no more requests: twice the interval at which it reads them. */
export const drainSeconds = 6;

/**
 * Decides how many replicas a workspace has. More are ordered at once. Fewer are ordered when they were enough for `idleSeconds`,
 * while all that stay can serve, and when the requests have ended that a leaving replica may have been sent: none is cut off.
 *
 * @returns The next state, and the number to order; null: none.
 */
export function decideScaling(
  facts: ScalingFacts,
  state: ScalingState,
): { state: ScalingState; order: number | null } {
  const { scaling, now, replicas, demand } = facts;
  const isOver = hasStopped(scaling, now);
  if (facts.stopped && !isOver) return { state: settled, order: null };
  const needed = isOver ? 0 : neededFor(demand, scaling);
  if (needed >= replicas) return { state: settled, order: needed > replicas ? needed : null };
  // An earlier fall has ended: the time of the next one begins.
  const known = state.peak < replicas ? state : settled;
  const lowerSince = known.lowerSince ?? now;
  const peak = isOver ? 0 : Math.max(known.peak, needed);
  const isEarly = replicas <= scaling.max && now < lowerSince + scaling.idleSeconds;
  // The replicas of the lowest numbers stay. Those that leave may be the only ones that serve.
  const canFall = facts.serving.filter((replica) => replica < peak).length === peak;
  if (!isOver && (isEarly || !canFall))
    return { state: { lowerSince, peak, drainFrom: null, drainSince: null }, order: null };
  const drainSince = (known.drainFrom === peak ? known.drainSince : null) ?? now;
  const next = { lowerSince, peak, drainFrom: peak, drainSince };
  return { state: next, order: isDrained(facts, drainSince) ? peak : null };
}

/**
 * Whether replicas take requests again that were about to leave. The order that ends them may be on its way: this needs the
 * workspace's claim.
 */
export const liftsDrain = (before: ScalingState, { drainFrom }: ScalingState) =>
  before.drainFrom !== null && (drainFrom === null || drainFrom > before.drainFrom);

/** Whether every request was sent after the gateways knew which replicas leave. */
function isDrained({ now, oldestSentAt }: ScalingFacts, drainSince: number): boolean {
  const knownAt = drainSince + drainSeconds;
  return now >= knownAt && (oldestSentAt === null || oldestSentAt > knownAt);
}

const neededFor = (demand: number, { min, max, target }: Scaling) =>
  Math.min(Math.max(Math.ceil(demand / target), min), max);
