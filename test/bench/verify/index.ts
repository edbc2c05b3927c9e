import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createHistoryReader } from "@ngpu/audit/wholeHistory";
import { createHistoryClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { FatalError } from "@ngpu/runtime/errors";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { createMarketAudit, marketEvents } from "../../../cli/audit/marketRecords.ts";
import { differenceText, type MarketHistory } from "../../../cli/audit/record.ts";
import { plantLies } from "./lies/index.ts";
import { isNamed } from "./lies/subject.ts";

/*
 * Verifies a day of a market from an RPC endpoint, as `ngpu verify market` does, and then plants lies in it, one at a time
 * (docs/benchmarks.md). Another process writes the day and serves it.
 */

type Options = {
  json?: true;
  nodes: number;
  hours: number;
  blockSeconds: number;
  planted: number;
  seed: number;
};

/** What `--json` prints. */
type Report = {
  nodes: number;
  days: number;
  blocks: number;
  logs: number;
  /** Compared, by kind, and all of them. */
  records: number;
  recordsByKind: Record<string, number>;
  /** Honest records that differ. */
  differences: number;
  /** Reading, proving and recomputing the day, and of that the reading; and all lies. */
  seconds: number;
  readSeconds: number;
  cpuSeconds: number;
  lieSeconds: number;
  planted: number;
  found: number;
  byField: Record<string, { planted: number; found: number }>;
};

function readOptions(args: string[]): Options {
  return new Command("npm run bench -- verify")
    .option("--json", "one line of JSON")
    .option("--nodes <number>", "nodes of the market", wholeNumber(1), 10_000)
    .option("--hours <number>", "length of the day", wholeNumber(1), 24)
    .option("--block-seconds <number>", "between two blocks", wholeNumber(1), 2)
    .option("--planted <number>", "lies", wholeNumber(1), 10_000)
    .option("--seed <number>", "of the day and of the lies", wholeNumber(1), 20_261)
    .parse(args, { from: "user" })
    .opts<Options>();
}

export async function run(args: string[]): Promise<void> {
  const options = readOptions(args);
  process.stderr.write(`seed ${options.seed}\n`);
  const { child, url, document } = await startEndpoint(options);
  try {
    const report = await measure(options, url, document);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report));
  } finally {
    child.kill();
  }
}

type Served = { child: ChildProcess; url: string; document: unknown };

/** @throws FatalError `bench_endpoint_ended` */
async function startEndpoint({ nodes, hours, blockSeconds, seed }: Options): Promise<Served> {
  const scale = JSON.stringify({ nodes, hours, blockSeconds, seed });
  const memory = "--max-old-space-size=8192";
  const program = [...process.execArgv, memory, join(import.meta.dirname, "endpoint.ts"), scale];
  const child = spawn(process.execPath, program, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once("line", resolve);
    child.once("exit", () => resolve(undefined));
  });
  if (line === undefined) {
    throw new FatalError("The process that serves the day ended before it was ready.", {
      code: "bench_endpoint_ended",
      hint: "Its output above says why. A day of 10,000 nodes needs 8 GB of memory.",
    });
  }
  return { child, ...(JSON.parse(line) as Omit<Served, "child">) };
}

async function measure(options: Options, url: string, document: unknown): Promise<Report> {
  const deployment = parseDeployment(document);
  const client = createHistoryClient({ chainId: deployment.chainId, rpcUrls: [url] });
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const since = (time: number) => Math.round((performance.now() - time) / 100) / 10;
  const { number: upTo } = await readHeader(client, "latest");
  const reader = createHistoryReader(client, deployment, { events: marketEvents(), receipts: true });
  const history: MarketHistory = { ...(await reader.readTo(upTo)), deployment };
  const readSeconds = since(started);
  const recordsByKind: Record<string, number> = {};
  let differences = 0;
  for await (const record of createMarketAudit()(history, deployment.startBlock)) {
    recordsByKind[record.kind] = (recordsByKind[record.kind] ?? 0) + 1;
    if (record.detail === undefined) continue;
    differences += 1;
    process.stderr.write(`${differenceText(record)}\n`);
  }
  const seconds = since(started);
  const { user, system } = process.cpuUsage(cpu);
  const records = Object.values(recordsByKind).reduce((sum, count) => sum + count, 0);
  const lies = await tell(history, options);
  return {
    nodes: options.nodes,
    days: 1,
    blocks: Number(upTo),
    logs: history.logs.length,
    records,
    recordsByKind,
    differences,
    seconds,
    readSeconds,
    cpuSeconds: Math.round((user + system) / 100_000) / 10,
    ...lies,
  };
}

/** Plants every lie, and counts those that were found and named. */
async function tell(
  history: MarketHistory,
  { planted: count, seed }: Options,
): Promise<Pick<Report, "lieSeconds" | "planted" | "found" | "byField">> {
  const { genesis, daySeconds } = history.deployment.parameters;
  const started = performance.now();
  const byField: Report["byField"] = {};
  let [planted, found] = [0, 0];
  for await (const lie of plantLies(history, { count, seed, day: BigInt(genesis / daySeconds) })) {
    const name = `${lie.kind} ${lie.field}`;
    const known = byField[name] ?? { planted: 0, found: 0 };
    byField[name] = known;
    const isFound = isNamed(lie);
    planted += 1;
    known.planted += 1;
    if (isFound) [found, known.found] = [found + 1, known.found + 1];
    else process.stderr.write(`Not found: ${name} of ${lie.id}.\n`);
  }
  return { lieSeconds: Math.round((performance.now() - started) / 100) / 10, planted, found, byField };
}

function textOf(report: Report): string {
  const { nodes, logs, blocks, records, differences, seconds, readSeconds, cpuSeconds } = report;
  const fields = Object.entries(report.byField).map(
    ([name, { planted, found }]) => `  ${name}: ${found} of ${planted}`,
  );
  return [
    `${nodes} nodes, ${logs} logs of ${blocks} blocks: ${records} records compared in ${seconds} s`,
    `(${readSeconds} s of it reading, ${cpuSeconds} s of CPU), ${differences} differ.`,
    `Lies planted one at a time: ${report.found} of ${report.planted} found and named, in ${report.lieSeconds} s.`,
    ...fields,
    "",
  ].join("\n");
}
