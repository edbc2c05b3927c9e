import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { signalGroup } from "../embedded/leftovers.ts";
import { atPace } from "../embedded/pace.ts";
import { readReport, reportVariable, type TestReport } from "./report.ts";

export type ProcessRun = {
  rootDir: string;
  /** Path of the counts and the output, without extension. Concurrent runs need different paths. */
  scratch: string;
  /** The program in node_modules, and its arguments. */
  command: readonly string[];
  env: Record<string, string>;
  /** True prints the output immediately, false returns it at the end. */
  live: boolean;
  signal: AbortSignal;
};

export type ProcessOutcome = {
  /** Undefined when the process ended before its tests. */
  report: TestReport | undefined;
  /** How the process ended, if not normally. */
  failure: string | undefined;
  output: string;
  ms: number;
  /** CPU time of the process and of the child processes that it has ended. */
  cpuMs: number;
};

// Limits in ms: of a run on the reference machine, of the time after its last test, and of the time to stop after a signal.
const DEADLINE_MS = 20 * 60_000;
/** No run takes longer, however slow the machine. */
const LONGEST_MS = 40 * 60_000;
const LINGER_MS = 15_000;
const STOP_MS = 30_000;

/** Runs tests in their own process group. The process always ends, and the rest of its group with it. */
export async function runProcess({
  rootDir,
  scratch,
  command,
  env,
  live,
  signal,
}: ProcessRun): Promise<ProcessOutcome> {
  const reportFile = `${scratch}.json`;
  const outputFile = `${scratch}.log`;
  // The counts of an earlier stage must not count for this one.
  rmSync(reportFile, { force: true });
  const output = openSync(outputFile, "w");
  const [program = "", ...args] = command;
  const began = performance.now();
  const child = spawn(process.execPath, [join("node_modules", program), ...args], {
    cwd: rootDir,
    env: { ...process.env, ...env, [reportVariable]: reportFile },
    stdio: live ? ["ignore", "inherit", "inherit"] : ["ignore", output, output],
    detached: true,
  });
  closeSync(output);
  const ending = await untilEnd(child, reportFile, signal);
  const report = readReport(reportFile);
  const good =
    report?.failed === 0 ? ending === "exit code 0" : report !== undefined && /^exit code [1-9]/.test(ending);
  return {
    report,
    failure: good ? undefined : ending,
    output: readFileSync(outputFile, "utf8"),
    ms: performance.now() - began,
    cpuMs: report?.cpuMs ?? 0,
  };
}

/** Waits for the end, ends the process at a limit, and returns how it ended. */
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
  // Processes that the tests leave in the group end with it.
  signalGroup(pid, "SIGKILL");
  return reason;
}

/** Resolves with the reason when the process must end. */
async function overdue(reportFile: string, signal: AbortSignal): Promise<string> {
  const limit = Math.min(LONGEST_MS, atPace(DEADLINE_MS));
  const deadline = Date.now() + limit;
  try {
    while (!existsSync(reportFile)) {
      if (Date.now() > deadline) return `not finished after ${Math.round(limit / 60_000)} minutes`;
      await delay(200, undefined, { signal });
    }
    await delay(atPace(LINGER_MS), undefined, { signal });
    return "the process did not exit after its tests: something is still open";
  } catch (error) {
    if (signal.aborted) return "stopped";
    throw error;
  }
}
