import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { openChainWatch } from "./chainWatch.ts";
import { startMarket } from "./market.ts";
import { joinSpares } from "./spares.ts";
import { type Failovers, measureAbsent, measureFailover, measurePresent, type Sample } from "./trials.ts";

/*
 * Measures the life of a workspace in the market of `npm start`, with the real engine: from the block of its
 * publication, or of an order, to the block of the report that it is done (docs/benchmarks.md).
 */

type Options = { json?: true; runs: number; absent: number; failovers: number };
type Row = { runs: number; blocks: number; mostBlocks: number; seconds: number };
type SecondsRow = { runs: number; seconds: number; mostSeconds: number };

/** Runs the benchmark and prints its result. */
export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- lifecycle")
    .option("--json", "one line of JSON")
    .option(
      "--runs <count>",
      "publications with the image present, each stopped in the end",
      wholeNumber(0),
      50,
    )
    .option("--absent <count>", "publications with the image absent", wholeNumber(0), 10)
    .option("--failovers <count>", "nodes killed while they run a replica", wholeNumber(0), 5)
    .parse(args, { from: "user" })
    .opts<Options>();
  const market = await startMarket();
  try {
    const chain = await openChainWatch(market);
    const { present, stopped } = await measurePresent(market, chain, options.runs);
    const absent = await measureAbsent(market, chain, options.absent);
    let failovers: Failovers = { noticed: [], reassigned: [], running: [] };
    if (options.failovers > 0) {
      const spares = await joinSpares(market);
      failovers = await measureFailover(market, chain, spares, options.failovers);
    }
    show(
      {
        imagePresent: rowOf(present),
        stop: rowOf(stopped),
        imageAbsent: rowOf(absent),
        noticed: secondsOf(failovers.noticed),
        reassigned: rowOf(failovers.reassigned),
        runsElsewhere: rowOf(failovers.running),
      },
      options.json === true,
    );
  } finally {
    await market.stop();
  }
}

/** Medians, and the maximum of blocks. */
function rowOf(samples: Sample[]): Row | null {
  if (samples.length === 0) return null;
  return {
    runs: samples.length,
    blocks: median(samples.map(({ blocks }) => blocks)),
    mostBlocks: Math.max(...samples.map(({ blocks }) => blocks)),
    seconds: rounded(median(samples.map(({ seconds }) => seconds))),
  };
}

function secondsOf(seconds: number[]): SecondsRow | null {
  if (seconds.length === 0) return null;
  return {
    runs: seconds.length,
    seconds: rounded(median(seconds)),
    mostSeconds: rounded(Math.max(...seconds)),
  };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

function show(rows: Record<string, Row | SecondsRow | null>, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ blockSeconds: 2, ...rows })}\n`);
    return;
  }
  for (const [name, row] of Object.entries(rows)) {
    if (row === null) continue;
    const { runs, seconds } = row;
    const figures =
      "blocks" in row
        ? `${row.blocks} blocks, ${seconds} s; most ${row.mostBlocks} blocks`
        : `${seconds} s; most ${row.mostSeconds} s`;
    process.stdout.write(`${name.padEnd(14)} median ${figures} (${runs} runs)\n`);
  }
}
