// `npm test`: all checks and tests, on the real parts. See CONTRIBUTING.md.
import { join } from "node:path";
import { messageOf } from "@ngpu/runtime/errors";
import { explain } from "@ngpu/runtime/lifecycle";
import { measurePace } from "../embedded/pace.ts";
import { cpuMs } from "./cpuTime.ts";
import { type Options, readOptions } from "./options.ts";
import { repeatFailures } from "./repeat.ts";
import { type Selected, selectStages } from "./select.ts";
import type { Outcome, StageContext } from "./stage.ts";
import { stages } from "./stages.ts";
import { openTestState, sweepTestState } from "./state.ts";
import { type StageRun, summaryOf } from "./summary.ts";
import { createTestParts } from "./testParts.ts";

const rootDir = join(import.meta.dirname, "../..");

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), stages);
  const { quick, only, grep, deep, files: patterns } = options;
  // npm runs scripts in the checkout; INIT_CWD is the user's directory.
  const currentDir = process.env.INIT_CWD ?? process.cwd();
  const selected = selectStages(stages, { rootDir, currentDir, patterns, only, quick });
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => abort.abort(new Error(`Stopped by ${signal}`)));
  }
  await measurePace();
  const { stateDir, release } = await openTestState(rootDir);
  const parts = createTestParts({ rootDir, stateDir, print, signal: abort.signal });
  try {
    const live = new Set(selected.map(({ stage }) => stage.beside === true)).size === 1;
    const context = { rootDir, stateDir, quick, deep, grep, parts, live, signal: abort.signal };
    return await runStages(selected, context, options);
  } finally {
    try {
      await parts.stop();
    } finally {
      release();
      // A killed test process may have left child processes.
      await sweepTestState(rootDir);
    }
  }
}

/** Runs the stages in two rows, one beside the other. Returns the exit code. */
async function runStages(
  selected: readonly Selected[],
  context: StageContext,
  options: Options,
): Promise<number> {
  const began = performance.now();
  const first: StageRun[] = [];
  const runRow = async (row: readonly Selected[]) => {
    for (const one of row) if (!context.signal.aborted) first.push(await runStage(one, context));
  };
  const { beside = [], alone = [] } = Object.groupBy(selected, ({ stage }) =>
    stage.beside ? "beside" : "alone",
  );
  await Promise.all([runRow(beside), runRow(alone)]);
  const runs = options.files.length > 0 ? first : await repeatFailures(first, repeat(selected, context));
  const ms = performance.now() - began;
  // The time of a child process is known once it has ended.
  await context.parts.stop();
  for (const line of summaryOf(runs, { ...options, ms, cpuMs: cpuMs() })) print(line);
  if (context.signal.aborted) print(messageOf(context.signal.reason));
  const passed = runs.some(({ outcome }) => outcome.passed > 0);
  const failed = runs.some(({ outcome }) => outcome.failed > 0);
  if (!passed && !failed && options.grep !== undefined) {
    print(`No test title contains ${options.grep}.`);
  }
  return failed || !passed || context.signal.aborted ? 1 : 0;
}

/** Runs some files of a stage again, one after the other. */
function repeat(selected: readonly Selected[], context: StageContext) {
  return async (name: string, files: string[]): Promise<Outcome> => {
    const stage = selected.find(({ stage }) => stage.name === name)?.stage;
    if (stage === undefined || context.signal.aborted) return { passed: 0, failed: 1 };
    print(`▶ ${name} again: ${files.join(", ")}`);
    return (await runStage({ stage, files }, { ...context, workers: 1 })).outcome;
  };
}

async function runStage({ stage, files }: Selected, context: StageContext): Promise<StageRun> {
  const began = performance.now();
  print(`▶ ${stage.name}`);
  const outcome = await stage
    .run({ ...context, ...(files === undefined ? {} : { files }) })
    .catch((error: unknown): Outcome => ({ passed: 0, failed: 1, note: explain(error) }));
  const run = { name: stage.name, outcome, ms: performance.now() - began };
  print(lineOf(run));
  return run;
}

function lineOf({ name, outcome, ms }: StageRun): string {
  const note = outcome.note === undefined ? "" : `: ${outcome.note}`;
  return `${outcome.failed === 0 ? "✔" : "✘"} ${name} (${(ms / 1000).toFixed(1)} s)${note}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}
// What a part left open, such as the pipe of a child process, must not keep the run from ending.
process.exit();
