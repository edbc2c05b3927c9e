import { existsSync, readFileSync } from "node:fs";

/** Names the file that the reporter writes its counts to. */
export const reportVariable = "NGPU_TEST_REPORT";

/** Test cases of one mocha run, and what failed of them: its whole title and what was wrong. */
export type TestReport = {
  passed: number;
  failed: number;
  skipped: number;
  failures: { title: string; message: string }[];
};

/** The counts of a mocha run; undefined when it ended before it had any. */
export function readReport(file: string): TestReport | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as TestReport) : undefined;
}
