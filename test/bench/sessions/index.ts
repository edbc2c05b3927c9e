import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { setupMatch, type TestMatch } from "../../services/match/setup.ts";
import { stopParts } from "../../support/parts.ts";
import type { Latency } from "./latency.ts";
import { registerNodes } from "./register.ts";

/*
 * Measures how many sessions one instance of match holds. Keys, signatures, contracts, Postgres and Redis are real. All
 * nodes run in a separate process (docs/benchmarks.md).
 */

type Options = { json?: true; sessions: number; seconds: number; seed: number };
type Opened = { perSecond: number; latency: Latency };
type Held = { receipts: Latency; acks: Latency; lost: number; samples: number; validSamples: number };

type Report = {
  sessions: number;
  seed: number;
  cores: number;
  handshakesPerSecond: number;
  handshake: Latency;
  kibPerSession: number;
  rssMib: number;
  /** Share of one core while all sessions send heartbeats. */
  serverCpuShare: number;
  heartbeatsPerSecond: number;
  ack: Latency;
  receipt: Latency;
  lost: number;
  receiptsChecked: string;
};

export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- sessions")
    .option("--json", "the result as JSON")
    .option("--sessions <count>", "number of sessions", wholeNumber(1), 15_000)
    .option("--seconds <number>", "duration of the measurement, seconds", wholeNumber(1), 90)
    .option("--seed <number>", "seed of the nodes' keys", wholeNumber(1), 20_261)
    .parse(args, { from: "user" })
    .opts<Options>();
  process.env.TEST_LOG_LEVEL ??= "warn";
  const say = (line: string) => process.stderr.write(`${line}\n`);
  requireFiles(options.sessions);
  const test = await setupMatch({ slotSeconds: 60 });
  try {
    await registerNodes(test, options.sessions, options.seed, say);
    const report = await measure(test, options, say);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
  } finally {
    await test.stop();
    await stopParts();
  }
}

async function measure(test: TestMatch, options: Options, say: (line: string) => void): Promise<Report> {
  const { sessions, seconds, seed } = options;
  const match = await test.startMatch("match-a");
  const before = figuresOf(match.process.pid);
  const client = fork(join(import.meta.dirname, "client.ts"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ended = new Promise<never>((_resolve, reject) => {
    client.once("exit", () => reject(new Error("The nodes' process ended.")));
  });
  const next = <Message>(type: string) => {
    const received = new Promise<Message>((resolve) => {
      client.on("message", (message: { type: string; sessions?: number }) => {
        if (message.type === type) resolve(message as Message);
      });
    });
    return Promise.race([received, ended]);
  };
  client.on("message", (message: { type: string; sessions?: number }) => {
    if (message.type === "opened") say(`${message.sessions} sessions open`);
  });
  const { deployment, keeper } = test.market;
  // Bigints cannot be sent between processes.
  client.send({
    url: match.url,
    sessions,
    seed,
    committer: keeper.address,
    deployment: JSON.parse(toJson(deployment)),
  });
  const opened = await next<Opened>("open");
  const full = figuresOf(match.process.pid);
  client.send({ seconds });
  const held = await next<Held>("held");
  const after = figuresOf(match.process.pid);
  const rss = Math.max(full.rssKib, after.rssKib);
  return {
    sessions,
    seed,
    cores: availableParallelism(),
    handshakesPerSecond: Math.round(opened.perSecond),
    handshake: opened.latency,
    kibPerSession: Math.round(((rss - before.rssKib) / sessions) * 10) / 10,
    rssMib: Math.round(rss / 1_024),
    serverCpuShare: Math.round(((after.cpuSeconds - full.cpuSeconds) / seconds) * 100) / 100,
    heartbeatsPerSecond: Math.round((held.acks.count + held.receipts.count) / seconds),
    ack: held.acks,
    receipt: held.receipts,
    lost: held.lost,
    receiptsChecked: `${held.validSamples}/${held.samples}`,
  };
}

/** Memory and CPU time of a process, from /proc. */
function figuresOf(pid: number): { rssKib: number; cpuSeconds: number } {
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const ticksPerSecond = 100;
  return { rssKib: Number(rss), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
}

/** Each session is an open file in both processes. Node raises the soft limit to the hard limit at start. */
function requireFiles(sessions: number): void {
  const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  if (limit >= sessions + 500) return;
  throw new FatalError(`The limit of ${limit} open files is too low for ${sessions} sessions.`, {
    code: "files_too_few",
    hint: `Raise the limit with: ulimit -n ${sessions + 1_000}`,
  });
}

function table(report: Report): string {
  const latency = ({ p50Ms, p99Ms, maxMs }: Latency) => `p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`;
  const rows = [
    ["sessions", `${report.sessions} on one instance, ${report.cores} cores, nodes in another process`],
    ["handshakes", `${report.handshakesPerSecond}/s, ${latency(report.handshake)}`],
    ["memory", `${report.kibPerSession} KiB per session, ${report.rssMib} MiB in total`],
    ["heartbeats", `${report.heartbeatsPerSecond}/s at ${report.serverCpuShare} of a core`],
    ["acknowledged", latency(report.ack)],
    ["with receipt", latency(report.receipt)],
    ["lost", String(report.lost)],
    ["receipts checked", report.receiptsChecked],
  ];
  return `${rows.map(([name = "", value]) => `${name.padEnd(18)}${value}`).join("\n")}\n`;
}
