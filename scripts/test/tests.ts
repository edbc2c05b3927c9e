import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Failure, FileRun } from "./report.ts";
import { type ProcessOutcome, runProcess } from "./run.ts";
import type { Outcome, StageContext } from "./stage.ts";

export type TestRun = {
  /** All files of the stage, as paths from the checkout. */
  files: (rootDir: string) => string[];
  /** The program in node_modules that runs the files, and its arguments. */
  command: readonly string[];
  /** Environment of the tests. */
  env: (context: StageContext) => Promise<Record<string, string>>;
  /** Environment of the files that one worker runs, one after the other. */
  workerEnv?: (context: StageContext) => Promise<Record<string, string>>;
  /** `together`: in one process. `apart`: in several concurrently, each file in its own but for those that `shares` names. */
  processes: "together" | "apart";
  /** True for a file that may run in one process with others, which saves the time to start one. */
  shares?: (file: string) => boolean;
  /** True suppresses the tests' output. */
  silent?: boolean;
};

type Total = { passed: number; failed: number; skipped: number; failures: Failure[]; files: FileRun[] };

export const mocha = ["mocha/bin/mocha.js", "--forbid-only", "--reporter", "./scripts/test/reporter.ts"];
const config = ["--config", "test/hardhat.config.ts"];
export const hardhat = ["hardhat/dist/src/cli.js", ...config, "test", "mocha"];

// Tests mostly wait: for blocks, deadlines, other processes.
const CONCURRENCY = availableParallelism() + 1;
// Files that share a process.
const SHARED = 6;
// Time limit of one test with --deep, in ms.
const DEEP_TIMEOUT_MS = 600_000;

let runs = 0;
/** A number for the files of a run: stages beside each other must not read each other's report. */
const nextRun = () => {
  runs += 1;
  return runs;
};

/** Runs tests with their output shown, and counts them. */
export async function runTests(run: TestRun, context: StageContext): Promise<Outcome> {
  const files = chosenFiles(run, context);
  if (files.length === 0) return { passed: 0, failed: 0, note: "no files" };
  const env = { ...(await run.env(context)), ...(context.deep ? { NGPU_TEST_DEEP: "1" } : {}) };
  const together = run.processes === "together";
  const batches = together ? [files] : batchesOf(files, context, run.shares);
  const total: Total = { passed: 0, failed: 0, skipped: 0, failures: [], files: [] };
  const worker = async () => {
    const workerEnv = await run.workerEnv?.(context);
    // All workers take files from the same queue.
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      if (context.signal.aborted) return;
      const outcome = await runProcess({
        rootDir: context.rootDir,
        signal: context.signal,
        env: { ...env, ...workerEnv },
        scratch: join(context.stateDir, `run-${nextRun()}`),
        command: [...run.command, ...optionsOf(run, context), ...batch],
        live: together && context.live && !run.silent,
      });
      if (!run.silent) process.stdout.write(outcome.output);
      // The tests of a process that crashes say nothing of the file that caused it.
      if (!together && outcome.failure !== undefined && batch.length > 1) {
        batches.push(...batch.map((file) => [file]));
        continue;
      }
      add(total, outcome, batch.length === 1 ? batch[0] : undefined);
    }
  };
  const workers = together ? 1 : Math.min(context.workers ?? CONCURRENCY, files.length);
  await Promise.all(Array.from({ length: workers }, worker));
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  const note = `${total.passed} passed, ${total.failed} failed${skipped}`;
  return { passed: total.passed, failed: total.failed, note, failures: total.failures, files: total.files };
}

/** The files of each process. Files that are run again, or that were asked for, have one each. */
function batchesOf(
  files: string[],
  { files: chosen, grep }: StageContext,
  shares = (_: string) => false,
): string[][] {
  if (chosen !== undefined || grep !== undefined) return files.map((file) => [file]);
  const { true: shared = [], false: alone = [] } = Object.groupBy(
    files,
    (file) => String(shares(file)) as "true" | "false",
  );
  const batches = Array.from({ length: Math.ceil(shared.length / SHARED) }, (_, index) =>
    shared.slice(index * SHARED, (index + 1) * SHARED),
  );
  return [...alone.map((file) => [file]), ...batches];
}

/** Adds a process to the sum. A process that did not end normally after its tests is a failure of its own. */
function add(total: Total, { report, failure, ms, cpuMs }: ProcessOutcome, file: string | undefined): void {
  total.passed += report?.passed ?? 0;
  total.failed += report?.failed ?? 0;
  total.skipped += report?.skipped ?? 0;
  total.failures.push(
    ...(report?.failures ?? []).map((failure) => ({ ...failure, file: failure.file ?? file })),
  );
  if (failure !== undefined) {
    total.failed += 1;
    const title = `The tests' process ended ${report === undefined ? "before its tests did" : "after its tests"}`;
    total.failures.push({ file, title, message: failure });
  }
  if (file === undefined) total.files.push(...(report?.files ?? []));
  // A process that runs one file takes the file's time, including imports.
  else total.files.push({ file, tests: (report?.passed ?? 0) + (report?.failed ?? 0), ms, cpuMs });
}

function optionsOf({ command }: TestRun, { grep, deep }: StageContext): string[] {
  const title = grep === undefined ? [] : ["--grep", grep];
  const timeout = deep && command === mocha ? ["--timeout", String(DEEP_TIMEOUT_MS)] : [];
  return [...title, ...timeout];
}

function chosenFiles({ files }: TestRun, { rootDir, quick, files: chosen }: StageContext): string[] {
  if (chosen !== undefined) return [...chosen];
  return files(rootDir).filter((file) => !quick || !file.endsWith(".slow.test.ts"));
}
