// `npm test`: everything that must hold, on the real things. See README.md.
import { join } from "node:path";
import { messageOf } from "@ngpu/runtime/errors";
import { explain } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { Command, Option } from "commander";
import { createTestParts } from "./parts.ts";
import type { Outcome, Stage, StageContext } from "./stage.ts";
import { stages } from "./stages.ts";
import { openTestState, sweepTestState } from "./state.ts";

type Options = { quick: boolean; only?: string };

const rootDir = join(import.meta.dirname, "../..");

function readOptions(argv: readonly string[]): Options {
  const names = [...new Set(stages.flatMap(({ group, name }) => [group, name]))];
  return new Command("npm test --")
    .description("Checks the code and runs the tests.")
    .version(version)
    .option(
      "--quick",
      "leave out the Docker tests, the end-to-end journey and what is named *.slow.test.ts",
      false,
    )
    .addOption(new Option("--only <stage>", "run one stage, or all checks").choices(names))
    .allowExcessArguments(false)
    .parse([...argv], { from: "user" })
    .opts<Options>();
}

async function main(): Promise<number> {
  const { quick, only } = readOptions(process.argv.slice(2));
  const chosen = stages.filter(({ name, group, slow }) =>
    only === undefined ? !(quick && slow) : only === name || only === group,
  );
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => abort.abort(new Error(`Stopped by ${signal}`)));
  }
  const { stateDir, release } = await openTestState(rootDir);
  const parts = createTestParts({ stateDir, say, signal: abort.signal });
  try {
    return await runStages(chosen, { rootDir, stateDir, quick, parts, signal: abort.signal });
  } finally {
    await parts.stop();
    release();
    // A test process that had to be killed may have left parts of its own.
    await sweepTestState(rootDir);
  }
}

/** Gives the exit code. */
async function runStages(chosen: readonly Stage[], context: StageContext): Promise<number> {
  let passed = 0;
  let failed = 0;
  const faults: string[] = [];
  for (const stage of chosen) {
    if (context.signal.aborted) break;
    const outcome = await runStage(stage, context);
    passed += outcome.passed;
    failed += outcome.failed;
    if (outcome.failed > 0) faults.push(`✘ ${stage.name}: ${outcome.note ?? "see above"}`);
  }
  if (context.signal.aborted) say(messageOf(context.signal.reason));
  // Once more at the end, where nobody has to look for them.
  for (const fault of faults) say(fault);
  say(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 || context.signal.aborted ? 1 : 0;
}

async function runStage(stage: Stage, context: StageContext): Promise<Outcome> {
  const began = performance.now();
  say(`▶ ${stage.name}`);
  const outcome = await stage.run(context).catch((error: unknown): Outcome => {
    say(explain(error));
    return { passed: 0, failed: 1 };
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const note = outcome.note === undefined ? "" : `: ${outcome.note}`;
  say(`${outcome.failed === 0 ? "✔" : "✘"} ${stage.name} (${seconds} s)${note}`);
  return outcome;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}
