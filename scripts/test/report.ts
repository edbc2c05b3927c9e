import { existsSync, readFileSync } from "node:fs";

/** Names the file that the reporter writes its counts to. */
export const reportVariable = "NGPU_TEST_REPORT";

/** A test, hook, check or process that failed, and why. */
export type Failure = {
  /** The test file, as a path from the checkout, where there is one. */
  file?: string | undefined;
  title: string;
  message: string;
};

/** What one test file took. */
export type FileRun = { file: string; tests: number; ms: number; cpuMs: number };

/** Test cases of one mocha run, what failed of them, and what each file took. */
export type TestReport = {
  passed: number;
  failed: number;
  skipped: number;
  failures: Failure[];
  files: FileRun[];
  /** What the process took. */
  cpuMs: number;
};

/** The counts of a mocha run; undefined when it ended before it had any. */
export function readReport(file: string): TestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as TestReport) : undefined;
}
