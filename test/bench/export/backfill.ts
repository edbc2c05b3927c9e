import { FatalError } from "@ngpu/runtime/errors";
import { startFilledChain } from "./chain.ts";
import { type Contender, type Outcome, runOnce } from "./contenders.ts";
import { emitter } from "./events.ts";
import { countRows, differences } from "./rows.ts";

/** One indexer's figures over all runs, in one of its modes. */
export type Row = {
  indexer: string;
  mode: string;
  eventsPerSecond: number;
  peakMib: number | null;
  /** Resident memory at the start and after each quarter of the blocks, of the run with the highest value at its end. */
  rssMib: number[] | null;
};

export type Backfill = {
  events: number;
  blocks: number;
  runs: number;
  rows: Row[];
  limitEventsPerSecond: number;
};

const perBlock = 100;
const chainId = 31_337;

/** Fills a chain with events and runs each contender in turn, `options.runs` times. The figures are medians. */
export async function measureBackfill(
  all: readonly Contender[],
  cluster: string,
  options: { stateDir: string; emptyFolder: string; events: number; runs: number },
): Promise<Backfill> {
  const { stateDir, emptyFolder, events, runs } = options;
  const blocks = Math.ceil(events / perBlock) + 1;
  const { url, startBlock, last, stop } = await startFilledChain({ stateDir, events, blocks });
  try {
    const place = { startBlock: `${startBlock}`, last: `${last}`, address: emitter };
    const task = { rpcUrl: url, chainId, emptyFolder, ...place };
    const outcomes = new Map<Contender, Outcome[]>(all.map((contender) => [contender, []]));
    for (let round = 0; round < runs; round++) {
      for (const [contender, list] of outcomes) {
        const outcome = await runOnce(contender, cluster, task);
        list.push(outcome);
        const rate = Math.round((events / outcome.milliseconds) * 1_000);
        process.stderr.write(
          `${events} events, run ${round + 1}: ${contender.name} ${contender.mode} ${rate}/s\n`,
        );
      }
    }
    requireSameRows(outcomes, events);
    const rows = [...outcomes].map(([contender, list]) => rowOf(contender, list, events));
    return {
      events,
      blocks,
      runs,
      rows: rows.filter(({ indexer }) => indexer !== "limit"),
      limitEventsPerSecond: rows.find(({ indexer }) => indexer === "limit")?.eventsPerSecond ?? 0,
    };
  } finally {
    await stop();
  }
}

/** @throws FatalError `rows_differ` when the contenders stored different rows; their figures are then not comparable. */
function requireSameRows(outcomes: Map<Contender, Outcome[]>, events: number): void {
  const stored = [...outcomes].filter(([{ schema }]) => schema !== undefined).flatMap(([, list]) => list);
  for (const { rows } of stored) {
    const differing = differences(stored[0]?.rows ?? {}, rows);
    if (differing.length === 0 && countRows(rows) === events) continue;
    throw new FatalError(
      `The indexers' rows differ: ${differing.join(", ")}; ${countRows(rows)} of ${events}.`,
      { code: "rows_differ", hint: "Compare the rows of the indexers." },
    );
  }
}

function rowOf({ name, mode }: Contender, outcomes: Outcome[], events: number): Row {
  const milliseconds = median(outcomes.map((outcome) => outcome.milliseconds));
  const memory = outcomes.flatMap(({ rssMib }) => (rssMib === undefined ? [] : [rssMib]));
  return {
    indexer: name,
    mode,
    eventsPerSecond: Math.round((events / milliseconds) * 1_000),
    peakMib: Math.max(...outcomes.map(({ peakMib }) => peakMib ?? 0)) || null,
    rssMib: memory.toSorted((a, b) => (b.at(-1) ?? 0) - (a.at(-1) ?? 0))[0] ?? null,
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}
