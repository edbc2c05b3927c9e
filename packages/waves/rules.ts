/** The rules of verdicts. docs/proof.md gives the reason of each. */
export type Rules = {
  /** Measurers that a wave draws. */
  drawn: number;
  /** Statements that a verdict needs. */
  quorum: number;
  /**
   * Statements below the others that do not count: a message to one measurer may be lost. All others must state at least
   * as much, or evidence decides.
   */
  spare: number;
  /** Least share of each figure that passes, in 255ths. */
  least: { memory: number; bandwidth: number; arithmetic: number };
  /** Share of the known bytes that may fail, in thousandths. A wave in which more fail has no verdict. */
  lossPermille: number;
  /** Held waves that count, and how many of them a paid device passes. */
  counted: number;
  passes: number;
  /** Held waves for which a leased device that does not answer keeps its last proof. */
  keptWaves: number;
};

export const defaultRules: Rules = {
  drawn: 7,
  quorum: 4,
  spare: 1,
  least: { memory: 204, bandwidth: 204, arithmetic: 204 },
  lossPermille: 300,
  counted: 5,
  passes: 3,
  keptWaves: 48,
};

/** The rules as ProofWaves stores them. */
export function packRules({ least, ...rules }: Rules) {
  const { memory, bandwidth, arithmetic } = least;
  return { ...rules, leastMemory: memory, leastBandwidth: bandwidth, leastArithmetic: arithmetic };
}

/** The rules that ProofWaves has. */
export function unpackRules(packed: ReturnType<typeof packRules>): Rules {
  const { leastMemory: memory, leastBandwidth: bandwidth, leastArithmetic: arithmetic, ...rules } = packed;
  return { ...rules, least: { memory, bandwidth, arithmetic } };
}

/** The rules for a market with fewer admitted measurers than a wave draws: all but a spare one, at least one. */
export function rulesFor(measurers: number, rules = defaultRules): Rules {
  if (measurers >= rules.drawn) return rules;
  const quorum = Math.max(1, Math.min(rules.quorum, measurers));
  return { ...rules, drawn: measurers, quorum, spare: measurers > 2 ? rules.spare : 0 };
}

/** Held waves that standings look back on: older verdicts have expired. */
export function countedWaves({ counted, keptWaves }: Rules): number {
  return counted + keptWaves;
}
