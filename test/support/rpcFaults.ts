/**
 * The faults that the proxy injects, each with a probability for a request. `missingLogs` silently omits all logs of
 * some blocks.
 */
export const faultKinds = [
  "timeout",
  "status429",
  "status500",
  "truncated",
  "nullBlock",
  "staleHead",
  "otherHash",
  "missingLogs",
  "rangeTooLarge",
] as const;

type FaultKind = (typeof faultKinds)[number];

export type ProxyFaults = Partial<Record<FaultKind, number>> & {
  /** Probability that the last of several logs of a block is omitted. Only the block's receipts reveal this. */
  missingOne?: number;
  /** Number of blocks that the endpoint lags behind the chain. */
  behind?: number;
};

export type FaultInjector = ReturnType<typeof createFaultInjector>;

/** Decides which requests have a fault. @param random Returns numbers from 0 to below 1. */
export function createFaultInjector(random: () => number) {
  const counts = Object.fromEntries([...faultKinds, "behind"].map((kind) => [kind, 0]));
  let faults: ProxyFaults = {};
  const count = (kind: FaultKind | "behind") => {
    counts[kind] = (counts[kind] ?? 0) + 1;
  };
  return {
    random,
    set: (kinds: ProxyFaults) => {
      faults = kinds;
    },
    /** Whether a request has this fault; counts it. */
    chance: (kind: FaultKind) => {
      if (random() >= (faults[kind] ?? 0)) return false;
      count(kind);
      return true;
    },
    omitsOne: () => faults.missingOne !== undefined && random() < faults.missingOne,
    behind: () => faults.behind ?? 0,
    count,
    counts: () => ({ ...counts }),
  };
}
