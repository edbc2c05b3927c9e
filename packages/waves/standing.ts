import { countedOf, medianOf, type Proven } from "@ngpu/proof/proven";
import type { Rules } from "./rules.ts";
import { nothing } from "./shares.ts";
import type { DeviceVerdict } from "./types.ts";

/** What of a device counts, after the waves that were held. */
export type Standing = {
  /** Whether the device passed enough of its last waves. Nothing of a device that did not counts. */
  paid: boolean;
  /** Medians of its last waves, and at most what it claims now. */
  proven: Proven;
  /** Waves of those that count that it passed. */
  passed: number;
  /** Waves that count: fewer than the rules' number for a new device. */
  waves: number;
  /** Whether it kept its proof in its last wave, since a tenant had it. */
  kept: boolean;
};

/** A device's verdicts in held waves, oldest first. Waves before its claim have no verdict on it. */
export type History = readonly Pick<DeviceVerdict, "outcome" | "proven">[];

/**
 * What counts of a device, by waves and never by time: waves that were not held age nothing. A kept or undecided wave
 * does not count, and after too many of them in a row the proof has expired.
 */
export function standingOf(history: History, claimed: Proven, rules: Rules): Standing {
  const counted = history.filter(isJudged).slice(-rules.counted);
  const passed = counted.filter(({ outcome }) => outcome === "passed").length;
  const paid = passed >= rules.passes && unjudgedOf(history) <= rules.keptWaves;
  const median = (figure: keyof Proven) => medianOf(counted.map(({ proven }) => proven[figure])) ?? 0n;
  const proven: Proven = {
    bytes: median("bytes"),
    bytesPerSecond: median("bytesPerSecond"),
    operationsPerSecond: median("operationsPerSecond"),
  };
  return {
    paid,
    proven: paid ? countedOf(claimed, proven) : nothing,
    passed,
    waves: counted.length,
    kept: history.at(-1)?.outcome === "kept",
  };
}

/** Whether a verdict counts for or against the device. */
export function isJudged({ outcome }: Pick<DeviceVerdict, "outcome">): boolean {
  return outcome === "passed" || outcome === "failed";
}

/** Waves since the last one that counts. */
function unjudgedOf(history: History): number {
  return history.length - 1 - history.findLastIndex(isJudged);
}
