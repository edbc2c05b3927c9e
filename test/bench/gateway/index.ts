import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { rootDir, stopParts } from "../../support/parts.ts";
import { type Calls, callsOf, directCalls, loads } from "./calls.ts";
import { cpuPerCall, cpuTimes } from "./cpu.ts";
import { measureDownload, openLink } from "./longLink.ts";
import { type BenchMarket, openMarket, startBackend } from "./market.ts";
import { installPrograms, type Peer, startPeers } from "./peers.ts";
import { medianRow, type Row, type Run, table } from "./rows.ts";
import { measureStreams } from "./streams.ts";
import { measureRate } from "./wrk.ts";

/*
 * The partner's whole path, from API key to a container's answer with its task recorded, beside plain proxies and a plain
 * tunnel (docs/benchmarks.md).
 */

type Options = {
  json?: true;
  runs: number;
  seconds: number;
  streams: number;
  link: number;
  only?: string;
  cpuProf?: string;
};

type Contender = { name: string; version: string; calls: Calls };

export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- gateway")
    .option("--json", "the result as JSON")
    .option("--runs <count>", "interleaved runs", wholeNumber(1), 5)
    .option("--seconds <number>", "duration of one measurement", wholeNumber(1), 3)
    .option("--streams <count>", "event streams; 0: not measured", wholeNumber(0), 1_000)
    .option("--link <megabits>", "rate of the long link; 0: not measured", wholeNumber(0), 200)
    .option("--only <names>", "paths to measure, comma-separated")
    .option("--cpu-prof <folder>", "writes CPU profiles of apiServer and gateway there")
    .parse(args, { from: "user" })
    .opts<Options>();
  process.env.TEST_LOG_LEVEL ??= "error";
  const folder = mkdtempSync(join(tmpdir(), "ngpu-bench-gateway-"));
  try {
    const report = await measure(options, folder);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
  } finally {
    await stopParts();
    rmSync(folder, { recursive: true });
  }
}

async function measure(options: Options, folder: string) {
  const paths = await installPrograms();
  const wanted = options.only?.split(",");
  const backend = await startBackend();
  const market = await openMarket(backend.port, { nodeArgs: profileIn(options.cpuProf) });
  const npm = join(rootDir, ".ngpu/bench");
  const peers = await startPeers(paths, { folder, backend: backend.port, npm });
  const contenders = contendersOf(market, backend.port, peers).filter(
    ({ name }) => wanted?.includes(name) ?? true,
  );
  say(`${cpus().length} cores of ${cpus()[0]?.model}, Node ${process.version}`);
  for (const { name, version } of contenders) say(`${name}: ${version}`);
  try {
    const rates = await measureRates(contenders, { ...options, wrk: paths.wrk, folder });
    const streams = options.streams === 0 ? undefined : await compareStreams(market, backend.port, options);
    await market.stop();
    const longLink = options.link === 0 ? undefined : await measureLongLink(backend.port, options.link);
    return { ...rates, streams, longLink };
  } finally {
    for (const peer of peers) await peer.stop();
    await market.stop();
    await backend.stop();
  }
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

function contendersOf(market: BenchMarket, backend: number, peers: readonly Peer[]): Contender[] {
  const direct = directCalls(`http://127.0.0.1:${backend}`);
  const own = "API, gateway, node client; key, limits, routing, metering, record, tunnel; no TLS";
  return [
    { name: "backend", version: `node:http on Node ${process.version}`, calls: direct },
    { name: "ngpu", version: own, calls: callsOf(market) },
    ...peers.map(({ name, version, url }) => ({ name, version, calls: directCalls(url) })),
  ];
}

/** Runs take turns, so that other work on the machine meets all contenders alike. */
async function measureRates(
  contenders: readonly Contender[],
  options: { runs: number; seconds: number; wrk: string; folder: string },
): Promise<{ rows: Row[]; chat: Row[] }> {
  const found = new Map<string, Run[]>();
  for (let turn = 0; turn <= options.runs; turn++) {
    for (const load of loads) {
      for (const { name, calls } of contenders) {
        const at = (connections: number) =>
          measureRate(options.wrk, calls[load], { ...options, connections });
        const before = cpuTimes();
        const many = await at(32);
        const cpuMicros = name === "ngpu" ? cpuPerCall(before, many.calls) : {};
        const run = { many, cpuMicros, one: await at(1) };
        // The first turn warms all of them up.
        if (turn === 0) continue;
        const key = `${load} ${name}`;
        found.set(key, [...(found.get(key) ?? []), run]);
        say(`${turn}/${options.runs} ${key}: ${Math.round(run.many.perSecond)}/s, p50 ${run.one.p50} µs`);
      }
    }
  }
  const rowsOf = (load: string) =>
    contenders.map(({ name }) => medianRow(name, found.get(`${load} ${name}`) ?? []));
  return { rows: rowsOf("json"), chat: rowsOf("chat") };
}

async function compareStreams(market: BenchMarket, backend: number, { streams: count, seconds }: Options) {
  const p99Of = async (calls: Calls) => {
    const times = await measureStreams(calls.stream, { count, seconds: 2 * seconds });
    return { p99: times[Math.floor(times.length * 0.99)] ?? 0, perSecond: times.length / (2 * seconds) };
  };
  const direct = await p99Of(directCalls(`http://127.0.0.1:${backend}`));
  const own = await p99Of(callsOf(market));
  const rounded = (ms: number) => Math.round(ms * 100) / 100;
  return {
    count,
    eventsPerSecond: Math.round(own.perSecond),
    p99Ms: rounded(own.p99),
    directP99Ms: rounded(direct.p99),
    p99AddedMs: rounded(own.p99 - direct.p99),
  };
}

/** Bytes of one download over the long link. */
const longBytes = 64 << 20;

async function measureLongLink(backend: number, megabitsPerSecond: number) {
  const link = { rttMs: 50, megabitsPerSecond };
  const links: { close: () => void }[] = [];
  const over = async (port: number) => {
    const opened = await openLink(port, link);
    links.push(opened);
    return opened.port;
  };
  const market = await openMarket(backend, { tunnelVia: over });
  try {
    const direct = directCalls(`http://127.0.0.1:${await over(backend)}`, longBytes);
    const plain = await measureDownload(direct.long, longBytes);
    const tunnel = await measureDownload(callsOf(market, longBytes).long, longBytes);
    const rounded = (value: number) => Math.round(value * 100) / 100;
    return {
      ...link,
      plainMegabits: Math.round(plain),
      tunnelMegabits: Math.round(tunnel),
      shareOfLink: rounded(tunnel / plain),
    };
  } finally {
    await market.stop();
    for (const one of links) one.close();
  }
}

const profileIn = (folder: string | undefined) => (name: string) =>
  folder === undefined
    ? []
    : ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`];
