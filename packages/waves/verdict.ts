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
   * Nodes that passed one of the waves before, as many as count: of them alone so many may fail. Names with nothing behind
   * them never passed, so they stop no verdict. Undefined: all nodes.
   */
  known?: ReadonlySet<number>;
};

/** The verdict on a wave: a pure function of the chain's logs, and of transcripts where measurers disagree. */
export function waveVerdict(facts: WaveFacts, rules: Rules): WaveVerdict {
  const devices = facts.challenged.map((challenged) => deviceVerdict(challenged, facts, rules));
  if (devices.length === 0) return { held: false, reason: "nothing_claimed", devices };
  if (facts.statements.length < rules.quorum) return { held: false, reason: "measurers_missing", devices };
  if (isLoss(devices, facts.known, rules)) return { held: false, reason: "loss", devices };
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
  const isDisputed = contested && stated.some((own) => isAtLeast(own, rules.least));
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
 * Measurers who omit an answer, or pass a lie, decide nothing against one who states the opposite: only evidence does. So
 * a pass takes all but the spare ones, and a failure all of them.
 */
function outcomeOf(
  shares: Shares,
  given: { least: Shares; isDisputed: boolean; isKept: boolean },
): DeviceVerdict["outcome"] {
  if (isAtLeast(shares, given.least)) return "passed";
  if (given.isDisputed) return "undecided";
  return given.isKept ? "kept" : "failed";
}

/** Without a judge nothing is proven. One statement of two or fewer is never spare. */
function agreed(stated: readonly Shares[], spare: number): Shares {
  if (stated.length === 0) return noShares;
  const place = stated.length > 2 ? Math.min(spare, stated.length - 1) : 0;
  return combine(stated, (sorted) => sorted[place] ?? 0);
}

function isSilent(shares: Shares): boolean {
  return shares.memory === 0 && shares.bandwidth === 0 && shares.arithmetic === 0;
}

/** The nodes of which a device passed a wave, whether or not it was held. Without a quorum none did. */
export function passedNodes(verdict: WaveVerdict): Set<number> {
  if (!verdict.held && verdict.reason === "measurers_missing") return new Set();
  return new Set(verdict.devices.filter(({ outcome }) => outcome === "passed").map(({ nodeId }) => nodeId));
}

/**
 * Whether so many nodes fail that the wave itself is the likely reason. A node fails when one of its devices does. Where no
 * node is known, one that passes shows that the wave could be passed.
 */
function isLoss(
  devices: readonly DeviceVerdict[],
  known: ReadonlySet<number> | undefined,
  { lossPermille }: Rules,
): boolean {
  const judged = devices.filter(({ outcome }) => outcome === "passed" || outcome === "failed");
  const isCounted = ({ nodeId }: DeviceVerdict) => known === undefined || known.has(nodeId);
  const challenged = new Set(judged.filter(isCounted).map(({ nodeId }) => nodeId));
  if (challenged.size === 0) return judged.length > 0 && !judged.some(({ outcome }) => outcome === "passed");
  const failed = judged.filter((device) => device.outcome === "failed" && isCounted(device));
  return new Set(failed.map(({ nodeId }) => nodeId)).size * 1_000 > challenged.size * lossPermille;
}
