import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import pg from "pg";
import { startPostgres } from "../../../scripts/embedded/postgres.ts";
import { type Backfill, measureBackfill } from "./backfill.ts";
import { type Contender, contenders } from "./contenders.ts";
import { type Lag, measureLag } from "./lag.ts";
import { installPonder, installSqd } from "./peers.ts";
import { asText, describeMachine, type Result } from "./report.ts";

type Options = {
  events?: number[];
  runs?: number;
  quick?: true;
  peers: boolean;
  lag: boolean;
  lagInterval: number;
  json?: true;
};

const full = { events: [100_000, 1_000_000], runs: 5, lagBlocks: 300 };
const quick = { events: [20_000], runs: 1, lagBlocks: 50 };
const eventsPerSecond = 500;

/** `npm run bench -- export`: the export rate of ngpu, SQD and ponder, and the upper limit on this machine. */
export async function run(args: string[]): Promise<void> {
  const command = new Command("bench export")
    .option("--events <counts>", "numbers of events, comma-separated (100000,1000000)", wholeNumbers)
    .option(
      "--runs <count>",
      "interleaved runs of each contender; the result is their median (5)",
      wholeNumber(1),
    )
    .option(
      "--quick",
      `a single run of ${quick.events} events, to check that it works; its figures mean nothing`,
    )
    .option("--no-peers", "run only ngpu and the limit")
    .option("--no-lag", "skip the measurement of the time from mined to visible")
    .option(
      "--lag-interval <ms>",
      `block interval of that measurement, at ${eventsPerSecond} events/s`,
      wholeNumber(1),
      100,
    )
    .option("--json", "print the result as JSON")
    .parse(args, { from: "user" });
  const options = command.opts<Options>();
  const result = await measure(options);
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : asText(result));
}

async function measure(options: Options): Promise<Result> {
  const form = options.quick ? quick : full;
  const { events = form.events, runs = form.runs } = options;
  const folder = join(import.meta.dirname, "../../../.ngpu/bench");
  const stateDir = join(folder, "export");
  const emptyFolder = join(stateDir, "no-projections");
  mkdirSync(emptyFolder, { recursive: true });
  const peers = options.peers
    ? { sqd: await installSqd(folder), ponder: await installPonder(folder) }
    : undefined;
  const all = contenders(peers);
  const postgres = await startPostgres({ stateDir });
  try {
    const machine = describeMachine(await versionOf(postgres.url));
    // The lag is measured first, before Postgres has to vacuum the backfills' rows.
    const intervalMs = options.lagInterval;
    const perBlock = Math.max(1, Math.round((eventsPerSecond * intervalMs) / 1_000));
    const lagOptions = { stateDir, emptyFolder, blocks: form.lagBlocks, perBlock, intervalMs };
    const lagMs: Lag | null = options.lag
      ? await measureLag(withProjections(all), postgres.url, lagOptions)
      : null;
    const backfills: Backfill[] = [];
    for (const count of events.toSorted((a, b) => a - b)) {
      const backfill = { stateDir, emptyFolder, events: count, runs };
      backfills.push(await measureBackfill(all, postgres.url, backfill));
    }
    return { ...(backfills.pop() as Backfill), lagMs, smaller: backfills, machine };
  } finally {
    await postgres.stop();
  }
}

/** The contender of the lag: ngpu with projections, because services read them. */
function withProjections(all: readonly Contender[]): Contender {
  return all.find(({ name, mode }) => name === "ngpu" && mode === "projections") as Contender;
}

async function versionOf(cluster: string): Promise<string> {
  const client = new pg.Client({ connectionString: cluster });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return rows[0]?.server_version ?? "unknown";
  } finally {
    await client.end();
  }
}

function wholeNumbers(text: string): number[] {
  return text.split(",").map(wholeNumber(1));
}
