import { countedOf, medianOf, type Proven } from "@ngpu/proof/proven";
import type { Rules } from "./rules.ts";
import { nothing } from "./shares.ts";
import type { DeviceVerdict } from "./types.ts";

/** What of a device counts, after the waves that were held. */
export type Standing = {
  /** Whether the device passed enough of its last waves, and did not fail the last one. Nothing counts of others. */
  paid: boolean;
  /** Medians of its last waves, and at most what it claims now, and what it proved in the last wave if it answered. */
  proven: Proven;
  /** Waves of those that count that it passed. */
  passed: number;
  /** Waves that count: fewer than the rules' number for a new device. */
  waves: number;
  /** Whether it passed the last wave. Of the devices that did, cards that answer in turn have no more than themselves. */
  answered: boolean;
};

/** A device's verdicts in held waves, oldest first. Waves before its claim have no verdict on it. */
export type History = readonly Pick<DeviceVerdict, "outcome" | "proven">[];

/**
 * What counts of a device, by waves and never by time: waves that were not held age nothing. A kept or undecided wave
 * does not count, and after too many of them in a row the proof has expired: `keptWaves`, of them `counted` undecided ones.
 */
export function standingOf(history: History, claimed: Proven, rules: Rules): Standing {
  const counted = history.filter(isJudged).slice(-rules.counted);
  const passed = counted.filter(({ outcome }) => outcome === "passed").length;
  const last = history.at(-1);
  const paid = passed >= rules.passes && last?.outcome !== "failed" && !isExpired(history, rules);
  const median = (figure: keyof Proven) => medianOf(counted.map(({ proven }) => proven[figure])) ?? 0n;
  const proven: Proven = {
    bytes: median("bytes"),
    bytesPerSecond: median("bytesPerSecond"),
    operationsPerSecond: median("operationsPerSecond"),
  };
  const answered = last?.outcome === "passed";
  const counts = answered ? countedOf(last.proven, proven) : proven;
  return {
    paid,
    proven: paid ? countedOf(claimed, counts) : nothing,
    passed,
    waves: counted.length,
    answered,
  };
}

/** Whether a verdict counts for or against the device. */
export function isJudged({ outcome }: Pick<DeviceVerdict, "outcome">): boolean {
  return outcome === "passed" || outcome === "failed";
}

/** Whether too many waves went by since the last one that counts. Liars can make waves undecided, so few of these do. */
function isExpired(history: History, { counted, keptWaves }: Rules): boolean {
  const since = history.slice(history.findLastIndex(isJudged) + 1);
  const undecided = since.filter(({ outcome }) => outcome === "undecided").length;
  return since.length > keptWaves || undecided > counted;
}
