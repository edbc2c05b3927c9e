import type { Rules } from "./rules.ts";
import { allShares, combine, isAtLeast, noShares, provenBy } from "./shares.ts";
import {
  type Challenged,
  type DeviceVerdict,
  keyOf,
  type Shares,
  type Statement,
  type WaveVerdict,
} from "./types.ts";

export type WaveFacts = {
  /** Claims that the nodes' keys signed before the wave. Nothing else can fail. */
  challenged: readonly Challenged[];
  /** Statements of drawn measurers that were committed and revealed in time. */
  statements: readonly Statement[];
  /**
   * What was recomputed from answers that a block included in time and their transcripts, by `keyOf`. It beats every
   * statement.
   */
  evidence?: ReadonlyMap<string, Shares>;
  /**
   * What devices proved in the waves before, by `keyOf`: how much each of them weighs where so many may fail. A device with
   * nothing behind it proved nothing, so it stops no verdict. Undefined: all weigh what they claim.
   */
  known?: ReadonlyMap<string, bigint>;
};

/** The verdict on a wave: a pure function of the chain's logs, and of transcripts where measurers disagree. */
export function waveVerdict(facts: WaveFacts, rules: Rules): WaveVerdict {
  const devices = facts.challenged.map((challenged) => deviceVerdict(challenged, facts, rules));
  if (devices.length === 0) return { held: false, reason: "nothing_claimed", devices };
  if (facts.statements.length < rules.quorum) return { held: false, reason: "measurers_missing", devices };
  const weights = facts.known ?? new Map(facts.challenged.map((own) => [keyOf(own), own.figures.bytes]));
  if (isLoss(devices, weights, rules)) return { held: false, reason: "loss", devices };
  return { held: true, devices };
}

/**
 * The verdict on one device. The share that counts is the one that all statements but the spare ones reach: a false
 * pass takes every measurer but these. Who states more than the others must show it, so evidence decides where it is
 * given.
 */
function deviceVerdict(challenged: Challenged, facts: WaveFacts, rules: Rules): DeviceVerdict {
  const { nodeId, device, figures, operator, leased } = challenged;
  const key = keyOf(challenged);
  const judges = facts.statements.filter((statement) => statement.operator !== operator);
  const stated = judges.map(({ exceptions }) => exceptions.get(key) ?? allShares);
  const seen = facts.evidence?.get(key);
  const shares = seen ?? agreed(stated, rules.spare);
  const contested = seen === undefined && stated.some((own) => !isAtLeast(shares, own));
  const claims = stated.filter((own) => isAtLeast(own, rules.least)).length;
  const isDisputed = contested && claims > spareOf(stated, rules.spare);
  const outcome = outcomeOf(shares, { least: rules.least, isDisputed, isKept: leased && isSilent(shares) });
  const measurers = judges.map(({ measurerId }) => measurerId);
  return {
    nodeId,
    device,
    outcome,
    shares,
    proven: provenBy(figures, shares),
    contested,
    measurers,
  };
}

/**
 * Measurers who omit an answer, or pass a lie, decide nothing against others who state the opposite: only evidence does. So
 * a pass takes all but the spare ones, and so does a failure: one liar must not keep a dead device alive. A leased device
 * that all but the spare ones did not hear keeps its proof, whatever the others state.
 */
function outcomeOf(
  shares: Shares,
  given: { least: Shares; isDisputed: boolean; isKept: boolean },
): DeviceVerdict["outcome"] {
  if (isAtLeast(shares, given.least)) return "passed";
  if (given.isKept) return "kept";
  return given.isDisputed ? "undecided" : "failed";
}

/** Statements that do not count against all others. Of two or fewer none is spare. */
function spareOf(stated: readonly Shares[], spare: number): number {
  return stated.length > 2 ? Math.min(spare, stated.length - 1) : 0;
}

/** Without a judge nothing is proven. */
function agreed(stated: readonly Shares[], spare: number): Shares {
  if (stated.length === 0) return noShares;
  const place = spareOf(stated, spare);
  return combine(stated, (sorted) => sorted[place] ?? 0);
}

function isSilent(shares: Shares): boolean {
  return shares.memory === 0 && shares.bandwidth === 0 && shares.arithmetic === 0;
}

/** The bytes that each device proved that passed a wave, whether or not it was held. Without a quorum none did. */
export function passedBytes(verdict: WaveVerdict): Map<string, bigint> {
  if (!verdict.held && verdict.reason === "measurers_missing") return new Map();
  const passed = verdict.devices.filter(({ outcome }) => outcome === "passed");
  return new Map(passed.map((device) => [keyOf(device), device.proven.bytes]));
}

/**
 * Whether so much of the known hardware fails that the wave itself is the likely reason. Names and devices are free, so bytes
 * that were proven count. Where none of the judged devices is known, one that passes shows that the wave could be passed.
 */
function isLoss(
  devices: readonly DeviceVerdict[],
  weights: ReadonlyMap<string, bigint>,
  { lossPermille }: Rules,
): boolean {
  const judged = devices.filter(({ outcome }) => outcome === "passed" || outcome === "failed");
  const failed = judged.filter(({ outcome }) => outcome === "failed");
  const total = weigh(judged);
  if (total === 0n) return judged.length > 0 && failed.length === judged.length;
  return weigh(failed) * 1_000n > total * BigInt(lossPermille);

  function weigh(own: readonly DeviceVerdict[]): bigint {
    return own.reduce((sum, device) => sum + (weights.get(keyOf(device)) ?? 0n), 0n);
  }
}
