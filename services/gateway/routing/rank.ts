import { mixed } from "./prefix.ts";

/** What is known about a replica when a request arrives. */
export type Candidate<Key> = {
  key: Key;
  /** A number that is the replica's own, at each gateway. */
  identity: number;
  /** Requests in progress. */
  outstanding: number;
  /** Sequence number of the last request that it was sent; 0: none. */
  lastUsed: number;
  /** Milliseconds that its requests take, averaged with more weight on later ones; undefined: not known. */
  latency: number | undefined;
  /** `failing`: it is tried only if no other is left. `trial`: it has failed, and one request may find out whether it still does. */
  health: "well" | "trial" | "failing";
  /** Whether it is in the region of this gateway. */
  isNear: boolean;
  /** Blocks of the request's prompt that its cache probably holds. */
  matched: number;
  /** Blocks that its cache probably holds in all. */
  remembered: number;
};

/** What a request says about itself. */
export type Ask = {
  /** Blocks of its prompt; 0: it has none, or not a whole one. */
  blocks: number;
  /** A hash of the session that the caller names; undefined: none. */
  session: number | undefined;
};

/** By how much the load of a replica may exceed the average before another is preferred to its cache. */
const loadFactor = 1.25;
/** The share of a prompt that a cache must hold for it to count. */
const worthwhile = 0.5;

/**
 * Orders replicas from the best one on.
 *
 * Those that are well come first, then those in this region. Among these, a session goes to the replica that its hash names, and a
 * prompt to the replica whose cache holds most of it, both only while that replica's load is within a bound of the average. All
 * others are ordered by the work that waits at them: the requests in progress, times the duration of one.
 */
export function rankCandidates<Key>(candidates: readonly Candidate<Key>[], ask: Ask): Key[] {
  const groups = Map.groupBy(candidates, groupOf);
  return [...groups.keys()]
    .sort((a, b) => a - b)
    .flatMap((group) => rankEqual(groups.get(group) ?? [], ask))
    .map(({ key }) => key);
}

/** 0: the best. A replica that may be tried goes before all others, but only for one request. */
function groupOf({ health, isNear, outstanding }: Candidate<unknown>): number {
  if (health === "trial" && outstanding === 0) return 0;
  if (health !== "well") return 3;
  return isNear ? 1 : 2;
}

function rankEqual<Key>(candidates: Candidate<Key>[], { blocks, session }: Ask): Candidate<Key>[] {
  const bound = boundOf(candidates);
  const usual = medianLatency(candidates);
  const preference = (one: Candidate<Key>) => {
    if (one.outstanding >= bound) return 0;
    if (session !== undefined) return 1 + mixed(session ^ one.identity) / 2 ** 32;
    return one.matched >= worthwhile * blocks ? one.matched : 0;
  };
  const facts = candidates.map((one) => ({
    one,
    preferred: preference(one),
    work: (one.outstanding + 1) * relative(one.latency, usual),
  }));
  return facts
    .sort(
      (a, b) =>
        b.preferred - a.preferred ||
        a.work - b.work ||
        // A prompt that no cache holds goes where it displaces least.
        (blocks > 0 ? a.one.remembered - b.one.remembered : 0) ||
        a.one.lastUsed - b.one.lastUsed,
    )
    .map(({ one }) => one);
}

/** Requests in progress from which a replica is not preferred, as in consistent hashing with bounded loads. */
function boundOf(candidates: readonly Candidate<unknown>[]): number {
  const all = candidates.reduce((sum, { outstanding }) => sum + outstanding, 0);
  return Math.ceil((loadFactor * (all + 1)) / candidates.length) + 1;
}

function medianLatency(candidates: readonly Candidate<unknown>[]): number | undefined {
  const known = candidates.flatMap(({ latency }) => (latency === undefined ? [] : [latency]));
  return known.sort((a, b) => a - b)[Math.floor(known.length / 2)];
}

/**
 * How slow a replica is, compared with others, in steps: latencies differ from request to request, and a small difference must not
 * outweigh that replicas alternate.
 */
function relative(latency: number | undefined, usual: number | undefined): number {
  if (latency === undefined || usual === undefined || usual === 0) return 1;
  return Math.max(1, Math.round(latency / usual));
}
