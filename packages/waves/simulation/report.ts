import { countedWaves, defaultRules } from "../rules.ts";
import { type Conditions, ordinary } from "./conditions.ts";
import { drawFleet } from "./fleet.ts";
import { absenteesBox, lenderBox, overclaimBox, selfLeasedBox, sharersBox, silentBox } from "./liars.ts";
import { type Box, honestBox, terms } from "./market.ts";
import { createRandom } from "./random.ts";
import { runWaves, type Tally } from "./run.ts";
import { chanceOf, type DeviceThresholds, examples, neededShares, thresholdsOf } from "./thresholds.ts";
import type { Setting } from "./wave.ts";

export type SimulationOptions = {
  nodes: number;
  waves: number;
  seed: number;
  /** Blocks of the parts, other than the ones that were found. */
  chaseBlocks?: number;
  workBlocks?: number;
};

export type KindReport = Tally & { kind: string; per10000: number; meanShare: number };
export type SweepReport = { condition: string; held: number; per10000: number };

export type SimulationReport = SimulationOptions & {
  held: number;
  /** Honest nodes that were not paid for all that they claim, of 10,000 waves. */
  underProvenPer10000: number;
  honest: KindReport[];
  liars: KindReport[];
  sweeps: SweepReport[];
  thresholds: DeviceThresholds[];
  /** The models that need most of their published bandwidth. */
  neededShares: { model: string; share: number }[];
  measurers: { colluding: number; falsePass: number; withheld: number };
};

/** Simulates waves of a market of honest nodes, with liars among them. The same seed gives the same report. */
export function simulate(options: SimulationOptions): SimulationReport {
  const { nodes, waves, seed, chaseBlocks = terms.chaseBlocks, workBlocks = terms.workBlocks } = options;
  const random = createRandom(seed);
  const own = { ...terms, chaseBlocks, workBlocks };
  const honest = drawFleet(nodes, random).map((machine, place) => honestBox(place + 1, machine, own));
  const kinds = new Set(honest.map(({ kind }) => kind));
  const setting = { conditions: ordinary, rules: defaultRules, terms: own, random };
  const outcome = runWaves([...honest, ...liarsFrom(nodes + 1)], setting, { waves });
  const reports = [...outcome.kinds].map(([kind, tally]) => reportOf(kind, tally));
  const ofHonest = reports.filter(({ kind }) => kinds.has(kind));
  return {
    ...options,
    held: outcome.held,
    underProvenPer10000: per10000Of(ofHonest),
    honest: ofHonest,
    liars: reports.filter(({ kind }) => !kinds.has(kind)),
    sweeps: sweepsOf(honest.slice(0, Math.ceil(nodes / 10)), setting, waves),
    thresholds: examples.map(thresholdsOf),
    neededShares: neededShares().slice(0, 8),
    measurers: {
      colluding: 0.3,
      falsePass: chanceOf(defaultRules.drawn - defaultRules.spare, defaultRules.drawn, 0.3),
      withheld: chanceOf(defaultRules.drawn - defaultRules.quorum + 1, defaultRules.drawn, 0.3),
    },
  };
}

/** Names that each box of the examples is tried with: sizes are parts of the box that each name claims. */
const sharedParts = [0.55, 0.7, 0.85, 1];

function liarsFrom(firstId: number): Box[] {
  let next = firstId;
  const take = (names: number) => {
    next += names;
    return next - names;
  };
  return examples.flatMap(({ device }) => [
    ...sharedParts.map((size) => sharersBox(take(2), { device, names: 2, size })),
    sharersBox(take(10), { device, names: 10, size: 1 }),
    overclaimBox(take(1), { device, size: 2 }),
    overclaimBox(take(1), { device, size: 2, diskReads: 1_000_000 }),
    lenderBox(take(1), device),
    selfLeasedBox(take(2), device, { names: 2, waves: defaultRules.passes }),
    selfLeasedBox(take(2), device, { names: 2, waves: defaultRules.keptWaves }),
    absenteesBox(take(2), { device, cards: 1, waves: countedWaves(defaultRules) }),
    absenteesBox(take(3), { device, cards: 2, waves: 1 }),
    absenteesBox(take(53), { device, cards: countedWaves(defaultRules) - 1, waves: 1 }),
  ]);
}

/** What becomes of the first honest nodes under other conditions than the ordinary ones. */
function sweepsOf(honest: readonly Box[], setting: Setting, waves: number): SweepReport[] {
  const sweep = (condition: string, change: Partial<Conditions>, more: Box[] = [], most = 0.1) => {
    const boxes = [...honest, ...more];
    const conditions = { ...setting.conditions, ...change };
    const load = { begins: 0.05, ends: 0.3, most };
    const { held, kinds } = runWaves(boxes, { ...setting, conditions }, { waves, load });
    const own = [...kinds].flatMap(([kind, tally]) => (kind === silent ? [] : [reportOf(kind, tally)]));
    return { condition, held, per10000: per10000Of(own) };
  };
  const silentNames = (share: number) => {
    const count = Math.ceil((honest.length * share) / (1 - share));
    return Array.from({ length: count }, (_, place) => silentBox(1_000_000 + place, silent));
  };
  return [
    sweep("5% of packets lost", { loss: 0.05 }),
    sweep("20% of packets lost", { loss: 0.2 }),
    sweep("2 of 7 measurers omit every answer", { omitting: 2 / 7 }),
    sweep("5 of 7 measurers omit every answer", { omitting: 5 / 7 }),
    sweep("30% of all measurers omit every answer", { colluding: 0.3 }),
    sweep("other work takes up to 30% of a box", {}, [], 0.3),
    sweep("other work takes up to 60% of a box", {}, [], 0.6),
    sweep("25% of the names never answer", {}, silentNames(0.25)),
    sweep("35% of the names never answer", {}, silentNames(0.35)),
    sweep("2 of 7 measurers withhold their results", { withholding: 2 / 7 }),
    sweep("4 of 7 measurers withhold their results", { withholding: 4 / 7 }),
  ];
}

const silent = "never answers";

function reportOf(kind: string, tally: Tally): KindReport {
  return { kind, ...tally, per10000: per10000Of([tally]), meanShare: tally.shares / tally.boxWaves };
}

function per10000Of(tallies: readonly Tally[]): number {
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0);
  return (
    Math.round(
      (1e6 * sum((tally) => tally.underProven)) /
        Math.max(
          1,
          sum((tally) => tally.nodeWaves),
        ),
    ) / 100
  );
}
