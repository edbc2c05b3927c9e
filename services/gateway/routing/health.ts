/** Failures in a row from which a replica is not preferred. */
const failuresUntil = 3;
/** Milliseconds until a failing replica is tried again: it doubles with each trial that fails. */
const pauses = { first: 1_000, longest: 60_000 };
/** Weight of the last request in the average of latencies. */
const lastWeight = 0.2;

/** What is known about a replica from the requests that it was sent. */
export type Experience = {
  latency: number | undefined;
  failures: number;
  /** When it may be tried, in milliseconds; undefined: it is well. */
  tryAt: number | undefined;
  pause: number;
};

export const noExperience: Experience = { latency: undefined, failures: 0, tryAt: undefined, pause: 0 };

/** The experience after a request that was answered. */
export function answered(before: Experience, milliseconds: number): Experience {
  const { latency } = before;
  const next = latency === undefined ? milliseconds : latency + lastWeight * (milliseconds - latency);
  return { ...noExperience, latency: next };
}

/** The experience after a request that the replica failed. */
export function failed(before: Experience, now: number): Experience {
  const failures = before.failures + 1;
  if (failures < failuresUntil) return { ...before, failures };
  const pause = before.pause === 0 ? pauses.first : Math.min(pauses.longest, 2 * before.pause);
  return { ...before, failures, pause, tryAt: now + pause };
}

export function healthOf({ tryAt }: Experience, now: number): "well" | "trial" | "failing" {
  if (tryAt === undefined) return "well";
  return now >= tryAt ? "trial" : "failing";
}
