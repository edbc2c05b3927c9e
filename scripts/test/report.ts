import { existsSync, readFileSync } from "node:fs";

/** Environment variable with the file that the reporter writes its counts to. */
export const reportVariable = "NGPU_TEST_REPORT";

/** A failed test, hook, check or process, and the reason. */
export type Failure = {
  /** The test file, as a path from the checkout, if there is one. */
  file?: string | undefined;
  title: string;
  message: string;
};

/** Duration of one test file. `cpuMs` includes the child processes that it has ended. */
export type FileRun = { file: string; tests: number; ms: number; cpuMs: number };

/** Test cases of one mocha run, with failures and the duration of each file. */
export type TestReport = {
  passed: number;
  failed: number;
  skipped: number;
  failures: Failure[];
  files: FileRun[];
  /** CPU time of the process and of the child processes that it has ended. */
  cpuMs: number;
};

/** The counts of a mocha run; undefined when it ended before it wrote any. */
export function readReport(file: string): TestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as TestReport) : undefined;
}
