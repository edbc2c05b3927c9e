import { availableParallelism } from "node:os";
import { operationsLimitOf } from "@ngpu/proof/hardware";
import { operationsOf, readsOf } from "@ngpu/proof/proven";
import { type DeviceInfo, startProver, type Times } from "@ngpu/proof/prover";
import type { Committed } from "@ngpu/proof/record";
import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import { pageBytes } from "@ngpu/proof/terms";
import { type Verdict, verify } from "@ngpu/proof/verify";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { keccak256, stringToHex } from "viem";
import { loadMarket } from "../../contracts/support/market.ts";
import { cpuDevice } from "../../packages/proof/device.ts";
import { waveActs } from "../gas/acts/waves.ts";
import { setL1Prices } from "../gas/l1Prices.ts";
import type { Cost } from "../gas/meter.ts";

/*
 * Proves a device of this machine: fills its memory, chases, does arithmetic, opens an audit and verifies it
 * (docs/benchmarks.md). Verifying uses one core: its CPU time is measured, five times, and the median counts.
 */

type Options = {
  json?: true;
  memory: number;
  chase: number;
  work: number;
  seed: number;
  device?: number;
  model?: string;
};

/** What `--json` prints. */
type Report = {
  memoryGiB: number;
  fillSeconds: number;
  windowSeconds: number;
  provenGiBs: number;
  verifierSecondsPerProof: number;
  transcriptBytes: number;
  /** Of a wave of 10,000 nodes with 7 measurers: every transaction, by node. */
  gasPerNodeWave: number;
  l1BytesPerNodeWave: number;
  shareOfNodeTime: number;
};

type Details = {
  device: DeviceInfo;
  verdict: Verdict;
  perSecond: Rates;
  /** Of a CPU device on a machine that has other work: the rates of one free core. */
  perCpuSecond: Rates;
};

type Rates = { reads: number; pages: number; operations: number };

const GiB = 2 ** 30;
/** An epoch, in which a node is challenged once. */
const epochSeconds = 3_600;
const verifications = 5;

function readOptions(args: string[]): Options {
  return new Command("npm run bench -- proof")
    .option("--json", "one line of JSON")
    .option("--memory <MiB>", "declared memory", wholeNumber(1), 2_048)
    .option("--chase <seconds>", "time of the dependent reads", wholeNumber(1), 8)
    .option("--work <seconds>", "time of the arithmetic", wholeNumber(1), 4)
    .option("--seed <number>", "of the blocks", wholeNumber(1), 20_261)
    .option("--device <number>", "place among the OpenCL devices (default: the CPU)", wholeNumber(0))
    .option("--model <name>", "the model of a GPU, whose published figures limit what it may make up")
    .parse(args, { from: "user" })
    .opts<Options>();
}

export async function run(args: string[]): Promise<void> {
  const options = readOptions(args);
  process.stderr.write(`seed ${options.seed}\n`);
  const { report, details } = await measure(options);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : textOf(report, details));
}

async function measure(options: Options): Promise<{ report: Report; details: Details }> {
  const wave = await costOfWave();
  const prover = await startProver({ device: options.device ?? (await cpuDevice()), deadline: 600_000 });
  try {
    const claim = claimOf(options);
    const seeds = seedsOf(claim);
    const filled = await prover.fill({ seed: seeds.fill, bytes: claim.bytes });
    const chase = await prover.run("chase", { seed: seeds.chase, milliseconds: claim.milliseconds.chase });
    const work = await prover.run("work", { seed: seeds.work, milliseconds: claim.milliseconds.work });
    const transcript = await prover.transcript(auditSeedOf(claim, { chase, work }));
    const result = { chase, work, transcript };
    const times = Array.from({ length: verifications }, () => secondsOf(() => verify(result, claim)));
    const verdict = verify(result, claim);
    const done = { filled, chase, work };
    const fillSeconds = filled.milliseconds / 1_000;
    const windowSeconds = options.chase + options.work;
    return {
      report: {
        memoryGiB: rounded(Number(claim.bytes) / GiB),
        fillSeconds: rounded(fillSeconds),
        windowSeconds,
        provenGiBs: rounded(verdict.accepted ? Number(verdict.proven.bytesPerSecond) / GiB : 0),
        verifierSecondsPerProof: rounded(times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0),
        transcriptBytes: transcript.length,
        gasPerNodeWave: rounded(wave.gas),
        l1BytesPerNodeWave: rounded(wave.l1Bytes),
        shareOfNodeTime: rounded((fillSeconds + windowSeconds) / epochSeconds),
      },
      details: {
        device: prover.device,
        verdict,
        perSecond: ratesOf(done, ({ milliseconds }) => milliseconds),
        perCpuSecond: ratesOf(done, ({ cpuMilliseconds }) => cpuMilliseconds),
      },
    };
  } finally {
    await prover.stop();
  }
}

/** Commits and reveals a wave on the compiled contracts, in an OP-stack simulation. */
async function costOfWave(): Promise<Cost> {
  const market = await loadMarket();
  await setL1Prices(market);
  const { "wave-10k-7": wave } = await waveActs(market);
  if (wave === undefined) throw new Error("No wave was measured.");
  return wave;
}

function claimOf({ memory, chase, work, seed, model }: Options) {
  const block = (name: string) => keccak256(stringToHex(`${name} ${seed}`));
  return {
    nodeId: BigInt(seed),
    device: 0,
    bytes: BigInt(memory) * 2n ** 20n,
    blocks: { fill: block("fill"), chase: block("chase"), work: block("work"), audit: block("audit") },
    milliseconds: { chase: 1_000 * chase, work: 1_000 * work },
    operationsLimit: operationsLimitOf(
      model === undefined ? { kind: "cpu", cores: availableParallelism() } : { kind: "gpu", model },
    ),
  };
}

function secondsOf(act: () => unknown): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000_000;
}

type Done = { filled: Times & { filledBytes: bigint }; chase: Committed & Times; work: Committed & Times };

function ratesOf({ filled, chase, work }: Done, of: (times: Times) => number): Rates {
  const perSecond = (count: number, times: Times) => (1_000 * count) / of(times);
  return {
    reads: perSecond(Number(readsOf(chase)), chase),
    pages: perSecond(Number(filled.filledBytes) / pageBytes, filled),
    operations: perSecond(Number(operationsOf(work)), work),
  };
}

/** The figures, and what a prover without a part of the memory would do with this program at these rates. */
function textOf(report: Report, details: Details): string {
  const { device, verdict, perSecond, perCpuSecond } = details;
  const slower = (absent: number) => 1 + (absent * perSecond.reads) / perSecond.pages;
  const rate = (name: keyof Rates, unit: number) =>
    `${(perSecond[name] / unit).toFixed(2)}, a CPU second ${(perCpuSecond[name] / unit).toFixed(2)}`;
  const lines = [
    `${device.name} (${device.platform}), ${device.units} units`,
    ...Object.entries(report).map(([name, value]) => `${name.padEnd(24)} ${value}`),
    `M reads a second         ${rate("reads", 1e6)}`,
    `M pages a second         ${rate("pages", 1e6)}`,
    `G operations a second    ${rate("operations", 1e9)}`,
    ...[0.01, 0.1, 0.5, 0.9].map(
      (absent) => `with ${100 * absent}% of the memory absent: ${slower(absent).toFixed(1)} times slower`,
    ),
    verdict.accepted
      ? `accepted: ${Number(verdict.proven.bytes) / GiB} GiB proven`
      : `refused: ${verdict.reason}. ${verdict.message}`,
  ];
  return `${lines.join("\n")}\n`;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
