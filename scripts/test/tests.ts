import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { signalGroup } from "../embedded/leftovers.ts";
import { readReport, reportVariable } from "./report.ts";
import type { Outcome, StageContext } from "./stage.ts";

export type TestRun = {
  /** Which files, as globs from the checkout; `not` takes some of them out again. */
  files: readonly string[];
  not?: readonly string[];
  /** Runs the files: the program below node_modules and what comes before them. */
  command: readonly string[];
  /** What the tests need from the environment. */
  env: (context: StageContext) => Promise<Record<string, string>>;
  /** True keeps what the tests print to themselves. */
  silent?: boolean;
};

export const mocha = ["mocha/bin/mocha.js", "--forbid-only", "--reporter", "./scripts/test/reporter.ts"];
export const hardhat = [
  "hardhat/dist/src/cli.js",
  "--config",
  "scripts/test/hardhat.config.ts",
  "test",
  "mocha",
];

// How long a run may take, how long it may go on once all its tests are through, and how long it has to stop when told
// to, in ms.
const DEADLINE_MS = 20 * 60_000;
const LINGER_MS = 15_000;
const STOP_MS = 30_000;

/** Runs tests on Node with their output shown, and counts them. */
export async function runTests(run: TestRun, context: StageContext): Promise<Outcome> {
  const files = testFiles(run, context);
  if (files.length === 0) return { passed: 0, failed: 0, note: "no files" };
  const env = await run.env(context);
  const reportFile = join(context.stateDir, "report.json");
  rmSync(reportFile, { force: true });
  const [program = "", ...args] = run.command;
  const child = spawn(process.execPath, [join("node_modules", program), ...args, ...files], {
    cwd: context.rootDir,
    env: { ...process.env, ...env, [reportVariable]: reportFile },
    stdio: run.silent ? "ignore" : ["ignore", "inherit", "inherit"],
    // A group of its own, so that whatever a test leaves behind can be ended with it.
    detached: true,
  });
  const ending = await untilEnd(child, reportFile, context.signal);
  const report = readReport(reportFile);
  if (report === undefined) return { passed: 0, failed: 1, note: `ended before the tests did (${ending})` };
  const skipped = report.skipped > 0 ? `, ${report.skipped} skipped` : "";
  const note = `${report.passed} passed, ${report.failed} failed${skipped}`;
  // Tests that all pass in a process that fails: something broke beside them.
  const fault = report.failed === 0 && ending !== "exit code 0";
  return {
    passed: report.passed,
    failed: report.failed + (fault ? 1 : 0),
    note: fault ? `${note}; ${ending}` : note,
  };
}

function testFiles({ files, not = [] }: TestRun, { rootDir, quick }: StageContext): string[] {
  const exclude = [...not, ...(quick ? ["**/*.slow.test.ts"] : [])];
  return globSync([...files], { cwd: rootDir, exclude }).sort();
}

/** Waits for the end, brings it about when it is time, and says how it came. */
async function untilEnd(child: ChildProcess, reportFile: string, signal: AbortSignal): Promise<string> {
  const pid = child.pid;
  if (pid === undefined) {
    const [error] = await once(child, "error");
    return String(error);
  }
  const exit = once(child, "exit").then(([code, by]) =>
    by === null ? `exit code ${code}` : `killed by ${by}`,
  );
  const done = new AbortController();
  const reason = await Promise.race([exit, overdue(reportFile, AbortSignal.any([signal, done.signal]))]);
  done.abort();
  signalGroup(pid, "SIGTERM");
  const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), STOP_MS);
  await exit;
  clearTimeout(timer);
  // Whatever the tests leave in the group ends with it.
  signalGroup(pid, "SIGKILL");
  return reason;
}

/** Settles when the process should not go on any longer, with the reason. */
async function overdue(reportFile: string, signal: AbortSignal): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  try {
    while (!existsSync(reportFile)) {
      if (Date.now() > deadline) return `not through after ${DEADLINE_MS / 60_000} minutes`;
      await delay(200, undefined, { signal });
    }
    await delay(LINGER_MS, undefined, { signal });
    return "the tests left something open, so that their process did not end";
  } catch (error) {
    if (signal.aborted) return "stopped";
    throw error;
  }
}
