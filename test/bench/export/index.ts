import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { startPostgres } from "../../../scripts/embedded/postgres.ts";
import { FatalError } from "../../../services/shared/errors.ts";
import { startFilledChain } from "./chain.ts";
import { type Contender, contenders, type Outcome, runOnce } from "./contenders.ts";
import { emitter } from "./events.ts";
import { installPonder, installSqd } from "./peers.ts";
import { countRows, differences } from "./rows.ts";

type Options = { events: number; runs: number; peers: boolean; json?: true };
type Row = { indexer: string; mode: string; eventsPerSecond: number; peakMib: number | null };
type Result = { events: number; blocks: number; runs: number; rows: Row[]; limitEventsPerSecond: number };

const perBlock = 100;
const chainId = 31_337;

/** `npm run bench -- export`: events a second into Postgres, of ngpu, SQD and ponder, and what the machine can do at most. */
export async function run(args: string[]): Promise<void> {
  const command = new Command("bench export")
    .option("--events <count>", `events, ${perBlock} a block`, wholeNumber, 100_000)
    .option("--runs <count>", "runs of each, interleaved; their median counts", wholeNumber, 5)
    .option("--no-peers", "ngpu and the limit alone")
    .option("--json", "the result as JSON")
    .parse(args, { from: "user" });
  const options = command.opts<Options>();
  const result = await measure(options);
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : table(result));
}

async function measure({ events, runs, peers }: Options): Promise<Result> {
  const folder = join(import.meta.dirname, "../../../.ngpu/bench");
  const stateDir = join(folder, "export");
  const emptyFolder = join(stateDir, "no-projections");
  mkdirSync(emptyFolder, { recursive: true });
  const all = contenders(
    peers ? { sqd: await installSqd(folder), ponder: await installPonder(folder) } : undefined,
  );
  const blocks = Math.ceil(events / perBlock) + 1;
  const undos: (() => Promise<void>)[] = [];
  try {
    const postgres = await startPostgres({ stateDir });
    undos.push(postgres.stop);
    const chain = await startFilledChain({ stateDir, events, blocks });
    undos.push(chain.stop);
    const { url, startBlock, last } = chain;
    const task = {
      rpcUrl: url,
      chainId,
      address: emitter,
      startBlock: `${startBlock}`,
      last: `${last}`,
      emptyFolder,
    };
    const outcomes = new Map<Contender, Outcome[]>(all.map((contender) => [contender, []]));
    for (let round = 0; round < runs; round++) {
      for (const [contender, list] of outcomes) list.push(await runOnce(contender, postgres.url, task));
    }
    requireSameRows(outcomes, events);
    const rows = [...outcomes].map(([contender, list]) => rowOf(contender, list, events));
    const limitEventsPerSecond = rows.find(({ indexer }) => indexer === "limit")?.eventsPerSecond ?? 0;
    return {
      events,
      blocks,
      runs,
      rows: rows.filter(({ indexer }) => indexer !== "limit"),
      limitEventsPerSecond,
    };
  } finally {
    for (const undo of undos.reverse()) await undo();
  }
}

/** @throws FatalError `rows_differ`: then the figures compare nothing. */
function requireSameRows(outcomes: Map<Contender, Outcome[]>, events: number): void {
  const stored = [...outcomes].filter(([{ schema }]) => schema !== undefined).flatMap(([, list]) => list);
  for (const { rows } of stored) {
    const differing = differences(stored[0]?.rows ?? {}, rows);
    if (differing.length === 0 && countRows(rows) === events) continue;
    throw new FatalError(
      `The indexers' rows differ: ${differing.join(", ")}; ${countRows(rows)} of ${events}.`,
      {
        code: "rows_differ",
      },
    );
  }
}

function rowOf({ name, mode }: Contender, outcomes: Outcome[], events: number): Row {
  const milliseconds = median(outcomes.map((outcome) => outcome.milliseconds));
  return {
    indexer: name,
    mode,
    eventsPerSecond: Math.round((events / milliseconds) * 1_000),
    peakMib: Math.max(...outcomes.map(({ peakMib }) => peakMib ?? 0)) || null,
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

function table({ events, blocks, runs, rows, limitEventsPerSecond }: Result): string {
  const lines = rows.map(
    ({ indexer, mode, eventsPerSecond, peakMib }) =>
      `| ${indexer} | ${mode} | ${eventsPerSecond} | ${Math.round((100 * eventsPerSecond) / limitEventsPerSecond)}% | ${peakMib ?? ""} |`,
  );
  return [
    `${events} events in ${blocks} blocks, medians of ${runs} interleaved runs, rows equal`,
    "| indexer | stores | events/s | of the limit | peak MiB |",
    "| ------- | ------ | -------- | ------------ | -------- |",
    ...lines,
    `| limit | events as they come | ${limitEventsPerSecond} | 100% | |`,
    "",
  ].join("\n");
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
