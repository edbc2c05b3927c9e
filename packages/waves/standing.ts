import { countedOf, medianOf, type Proven } from "@ngpu/proof/proven";
import { countedWaves, type Rules } from "./rules.ts";
import { nothing } from "./shares.ts";
import type { DeviceVerdict } from "./types.ts";

/** What of a device counts, after the waves that were held. */
export type Standing = {
  /** Whether the device passed enough of its last waves, and did not fail the last one without an excuse. */
  paid: boolean;
  /**
   * Whether it shares the emission: it is paid, and passed the last wave or is excused. So names that share cards earn no
   * more than the cards, but for one wave in as many as standings look back on.
   */
  earns: boolean;
  /** Medians of its last waves, and at most what it claims now. Where it earns, at most what it proved when it last passed. */
  proven: Proven;
  /** Waves of those that count that it passed. */
  passed: number;
  /** Waves that count: fewer than the rules' number for a new device. */
  waves: number;
};

/** A device's verdicts in held waves, oldest first. Waves before its claim have no verdict on it. */
export type History = readonly Pick<DeviceVerdict, "outcome" | "proven">[];

/**
 * What counts of a device, by waves and never by time: waves that were not held age nothing. A kept or undecided wave
 * does not count, and after too many of them in a row the proof has expired.
 *
 * @param history The last `countedWaves` verdicts are used.
 */
export function standingOf(history: History, claimed: Proven, rules: Rules): Standing {
  const counted = history.filter(isJudged).slice(-rules.counted);
  const passed = counted.filter(hasPassed).length;
  const last = history.at(-1);
  const isPresent = last !== undefined && (hasPassed(last) || isExcused(history, rules));
  const paid =
    passed >= rules.passes &&
    (isPresent || last?.outcome !== "failed") &&
    !isExpired(history, { isPresent, rules });
  const median = (figure: keyof Proven) => medianOf(counted.map(({ proven }) => proven[figure])) ?? 0n;
  const proven: Proven = {
    bytes: median("bytes"),
    bytesPerSecond: median("bytesPerSecond"),
    operationsPerSecond: median("operationsPerSecond"),
  };
  const shown = isPresent ? history.findLast(hasPassed)?.proven : undefined;
  const counts = shown === undefined ? proven : countedOf(shown, proven);
  return {
    paid,
    earns: paid && isPresent,
    proven: paid ? countedOf(claimed, counts) : nothing,
    passed,
    waves: counted.length,
  };
}

/** Whether a verdict counts for or against the device. */
export function isJudged({ outcome }: Pick<DeviceVerdict, "outcome">): boolean {
  return outcome === "passed" || outcome === "failed";
}

function hasPassed({ outcome }: Pick<DeviceVerdict, "outcome">): boolean {
  return outcome === "passed";
}

/**
 * Whether a device that did not pass the last wave counts as if it had: in all others that standings look back on it passed,
 * or measurers disagreed. Two names on one box never both count. Another name that is paid passed one of these waves too,
 * beside this one.
 */
function isExcused(history: History, rules: Rules): boolean {
  const others = history.slice(-countedWaves(rules), -1);
  const isWhole = rules.keptWaves > 0 && others.length === countedWaves(rules) - 1;
  return isWhole && others.every(({ outcome }) => outcome === "passed" || outcome === "undecided");
}

/**
 * Whether too many waves went by since the last one that counts. Liars can make waves undecided, so of a device without an
 * excuse few of these do.
 */
function isExpired(history: History, { isPresent, rules }: { isPresent: boolean; rules: Rules }): boolean {
  const since = history.slice(history.findLastIndex(isJudged) + 1);
  const undecided = since.filter(({ outcome }) => outcome === "undecided").length;
  return since.length > rules.keptWaves || (!isPresent && undecided > rules.counted);
}
