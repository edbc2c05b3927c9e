import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildMutants, folder } from "./build.ts";
import { faultSources, fingerprintOf } from "./fingerprint.ts";
import { type Result, type Results, resumptionOf, stillFound, type TestRecord } from "./results.ts";
import type { Mutant } from "./schemata.ts";

type Say = (line: string) => void;

const rootDir = join(import.meta.dirname, "../..");
const env = {
  ...process.env,
  NGPU_GAS_IS_REAL: "no",
  HARDHAT_CONFIG: join(import.meta.dirname, "hardhat.config.ts"),
};
const mutantsFile = join(rootDir, folder, "mutants.json");
const resultsFile = join(rootDir, folder, "results.json");
const recordFile = join(rootDir, folder, "record.json");
const fingerprints = {
  contracts: fingerprintOf(rootDir, faultSources),
  tests: fingerprintOf(rootDir, ["test/contracts/**/*.ts"]),
};

/** Builds or restores the faults, the recording of the tests, and earlier results. */
export async function prepare({
  resume,
  say,
}: {
  resume: boolean;
  say: Say;
}): Promise<{ mutants: Mutant[]; record: TestRecord; results: Result[] }> {
  const resumption = resumptionOf(resume ? previousResults() : undefined, fingerprints);
  if (resumption.kind === "resume") {
    // A run that ended while recording left none.
    const record: TestRecord = existsSync(recordFile) ? readJson(recordFile) : await recordTests(say);
    return { mutants: readJson(mutantsFile), record, results: resumption.results };
  }
  if (resumption.kind === "record again") {
    say("the tests have changed: survivors are repeated");
    const record = await recordTests(say);
    const results = stillFound(resumption.results, record);
    keep(results);
    return { mutants: readJson(mutantsFile), record, results };
  }
  if (resume) say("nothing to resume: other contracts, or no earlier run");
  const mutants = buildMutants(rootDir);
  say(`${mutants.length} faults; compiling`);
  const hardhat = join(rootDir, "node_modules/hardhat/dist/src/cli.js");
  execFileSync(process.execPath, [hardhat, "build"], {
    cwd: rootDir,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const record = await recordTests(say);
  keep([]);
  return { mutants, record, results: [] };
}

/** Saves the results for `--resume`. */
export function keep(results: Result[]): void {
  const all: Results = { ...fingerprints, results };
  writeFileSync(resultsFile, JSON.stringify(all));
}

/** Runs the tests in their own process, and passes on each result line that it prints. */
export async function work(args: string[], take: (line: string) => void, input = ""): Promise<void> {
  const worker = spawn(process.execPath, [join(import.meta.dirname, "worker.ts"), ...args], {
    cwd: rootDir,
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  // A process that ends before it has read its input is judged by its output.
  worker.stdin.on("error", () => undefined).end(input);
  for await (const line of createInterface({ input: worker.stdout })) {
    if (line.startsWith("{")) take(line);
  }
}

async function recordTests(say: Say): Promise<TestRecord> {
  say("recording which tests execute which faults");
  rmSync(recordFile, { force: true });
  await work(["record", recordFile], () => undefined);
  if (!existsSync(recordFile)) throw new Error("The tests ended before they were recorded.");
  const record: TestRecord = readJson(recordFile);
  if (record.failed.length > 0)
    say(`skipped, because they fail without a fault: ${record.failed.join("; ")}`);
  return record;
}

/** Undefined when no earlier run has results. */
function previousResults(): Results | undefined {
  return existsSync(mutantsFile) && existsSync(resultsFile) ? readJson(resultsFile) : undefined;
}

function readJson<Content>(file: string): Content {
  return JSON.parse(readFileSync(file, "utf8")) as Content;
}
