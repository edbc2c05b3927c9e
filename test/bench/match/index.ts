import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { stopParts } from "../../support/parts.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { measureDurable } from "./durable.ts";
import { type EngineResult, type MarketResult, runMarket } from "./market.ts";
import { runPostgres } from "./postgres.ts";

/*
 * Measures how fast the index, brute force and Postgres choose nodes, over the same fleets and the same mix of requests
 * (docs/benchmarks.md). Each result of brute force is compared with that of the index; a difference ends the run.
 */

type Row = {
  engine: string;
  placementsPerSecond: number;
  p50Us: number;
  p99Us: number;
  answers: number;
  refused: number;
};
type Report = {
  nodes: number;
  seed: number;
  rows: Row[];
  /** Placements per second that are committed on the chain and exported to Postgres. Independent of the fleet's size. */
  durablePerSecond: number;
  timesBruteForce: number;
  steadyPerSecond: number;
  depletion: number;
  updates: number;
  quartileShares: number[];
};

type Options = { json?: true; nodes: string; seed: number; seconds: number; durable: number };

function readOptions(args: string[]): Options {
  return new Command("npm run bench -- match")
    .option("--json", "one line of JSON for each size of fleet")
    .option("--nodes <list>", "sizes of fleets", "1000,10000,100000")
    .option("--seed <number>", "of fleet, requests and changes", wholeNumber(1), 20_261)
    .option("--seconds <number>", "at full depletion, and of Postgres", wholeNumber(1), 4)
    .option("--durable <number>", "placements committed on the chain", wholeNumber(1), 2_000)
    .parse(args, { from: "user" })
    .opts<Options>();
}

/** Decisions per second over the mix, including impossible requests. Each is about one replica. */
function rowOf(engine: string, { latency, refused }: EngineResult): Row {
  const perSecond = (latency.count * 1_000_000) / latency.sum;
  return {
    engine,
    placementsPerSecond: Math.round(perSecond * 10) / 10,
    p50Us: latency.at(0.5),
    p99Us: latency.at(0.99),
    answers: latency.count,
    refused,
  };
}

function reportOf(
  nodes: number,
  seed: number,
  market: MarketResult,
  postgres: EngineResult,
  durable: number,
): Report {
  const { index, bruteForce, shares } = market;
  const rows = [rowOf("ngpu", index), rowOf("brute-force", bruteForce), rowOf("postgres", postgres)];
  const [own, scan] = rows;
  return {
    nodes,
    seed,
    rows,
    durablePerSecond: Math.round(durable),
    timesBruteForce: Math.round((own?.placementsPerSecond ?? 0) / (scan?.placementsPerSecond ?? 1)),
    steadyPerSecond: Math.round(index.steadyPerSecond),
    depletion: Math.round(index.depletion * 1_000) / 1_000,
    updates: index.updates,
    quartileShares: shares,
  };
}

function show(report: Report, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  process.stdout.write(`\n${report.nodes} nodes, seed ${report.seed}\n`);
  for (const { engine, placementsPerSecond, p50Us, p99Us } of report.rows) {
    process.stdout.write(
      `  ${engine.padEnd(12)}${placementsPerSecond.toFixed(1).padStart(10)}/s  p50 ${p50Us} µs  p99 ${p99Us} µs\n`,
    );
  }
  process.stdout.write(`  committed on the chain and exported: ${report.durablePerSecond}/s\n`);
}

/** Runs the benchmark for each size of fleet and prints the results. */
export async function run(args: string[]): Promise<void> {
  const { json = false, nodes: sizes, seed, seconds, durable: placements } = readOptions(args);
  try {
    const durable = await measureDurable(placements);
    const database = await createTestDatabase();
    for (const nodes of sizes.split(",").map(wholeNumber(1))) {
      const market = runMarket({
        nodes,
        seed,
        churnPerSecond: 1_000,
        depletion: 0.95,
        steadySeconds: seconds,
      });
      const postgres = await runPostgres(database.url, market.states, seconds);
      show(reportOf(nodes, seed, market, postgres, durable), json);
    }
    await database.drop();
  } finally {
    await stopParts();
  }
}
