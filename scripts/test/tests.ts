import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type ProcessOutcome, runProcess } from "./run.ts";
import type { Outcome, StageContext } from "./stage.ts";

export type TestRun = {
  /** Which files, as globs from the checkout; `not` takes some of them out again. */
  files: readonly string[];
  not?: readonly string[];
  /** What runs the files: the program below node_modules, and its arguments. */
  command: readonly string[];
  /** What the tests need from the environment. */
  env: (context: StageContext) => Promise<Record<string, string>>;
  /** `together`: in one process. `apart`: each file in its own, several at a time. */
  processes: "together" | "apart";
  /** True keeps what the tests print to themselves. */
  silent?: boolean;
};

export const mocha = ["mocha/bin/mocha.js", "--forbid-only", "--reporter", "./scripts/test/reporter.ts"];
const config = ["--config", "scripts/test/hardhat.config.ts"];
export const hardhat = ["hardhat/dist/src/cli.js", ...config, "test", "mocha"];

// Tests wait more than they work: for blocks, deadlines, other processes.
const AT_ONCE = availableParallelism() + 1;

/** Runs tests with their output shown, and counts them. */
export async function runTests(run: TestRun, context: StageContext): Promise<Outcome> {
  const files = testFiles(run, context);
  if (files.length === 0) return { passed: 0, failed: 0, note: "no files" };
  const env = await run.env(context);
  const together = run.processes === "together";
  const batches = (together ? [files] : files.map((file) => [file])).entries();
  const total = { passed: 0, failed: 0, skipped: 0, faults: [] as string[] };
  const worker = async () => {
    // All workers draw from the same batches.
    for (const [index, batch] of batches) {
      if (context.signal.aborted) return;
      const outcome = await runProcess({
        ...{ rootDir: context.rootDir, signal: context.signal, env },
        scratch: join(context.stateDir, `run-${index}`),
        command: [...run.command, ...batch],
        live: together && !run.silent,
      });
      if (!run.silent) process.stdout.write(outcome.output);
      add(total, outcome, together ? "the run" : (batch[0] ?? ""));
    }
  };
  await Promise.all(Array.from({ length: together ? 1 : AT_ONCE }, worker));
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  const note = [`${total.passed} passed, ${total.failed} failed${skipped}`, ...total.faults].join("\n    ");
  return { passed: total.passed, failed: total.failed, note };
}

/** Adds a process to the sum; one that did not end as its tests did is a failure of its own. */
function add(
  total: { passed: number; failed: number; skipped: number; faults: string[] },
  { report, fault }: ProcessOutcome,
  name: string,
): void {
  total.passed += report?.passed ?? 0;
  total.failed += report?.failed ?? 0;
  total.skipped += report?.skipped ?? 0;
  if (fault !== undefined) {
    total.failed += 1;
    const when = report === undefined ? "before its tests did" : "after its tests";
    total.faults.push(`${name} ended ${when}: ${fault}`);
  } else if (report !== undefined && report.failed > 0) {
    total.faults.push(`${name}: ${report.failed} failed`);
  }
  for (const { title, message } of report?.failures ?? [])
    total.faults.push(`  ${title}`, ...message.split("\n").map((line) => `    ${line}`));
}

function testFiles({ files, not = [] }: TestRun, { rootDir, quick }: StageContext): string[] {
  const exclude = [...not, ...(quick ? ["**/*.slow.test.ts"] : [])];
  return globSync([...files], { cwd: rootDir, exclude }).sort();
}
