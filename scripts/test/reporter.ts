import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import Mocha from "mocha";
import { cpuMs } from "./cpuTime.ts";
import { type FileRun, reportVariable, type TestReport } from "./report.ts";

const { Spec } = Mocha.reporters;
const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END, EVENT_TEST_END, EVENT_TEST_FAIL } =
  Mocha.Runner.constants;

/** Mocha's spec output. Also writes counts, failures and durations to the file that the runner names. */
export default class CountingSpec extends Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const reportFile = process.env[reportVariable];
    if (reportFile === undefined) return;
    const failures: TestReport["failures"] = [];
    const files = timeFiles(runner);
    runner.on(EVENT_TEST_FAIL, (test: Mocha.Test, error: Error) =>
      failures.push({ file: pathOf(test), title: test.fullTitle(), message: error.message }),
    );
    runner.once(EVENT_RUN_END, () => {
      const { passes = 0, failures: failed = 0, pending = 0 } = runner.stats ?? {};
      const report: TestReport = {
        passed: passes,
        failed,
        skipped: pending,
        failures,
        files: [...files.values()],
        cpuMs: cpuMs(),
      };
      writeFileSync(reportFile, JSON.stringify(report));
    });
  }
}

/** Measures each file by its outermost suites. */
function timeFiles(runner: Mocha.Runner): Map<string, FileRun> {
  const files = new Map<string, FileRun>();
  const runOf = (file: string): FileRun => {
    const run = files.get(file) ?? { file, tests: 0, ms: 0, cpuMs: 0 };
    files.set(file, run);
    return run;
  };
  let began = { at: 0, cpu: 0 };
  runner.on(EVENT_SUITE_BEGIN, (suite: Mocha.Suite) => {
    if (suite.parent?.root) began = { at: performance.now(), cpu: cpuMs() };
  });
  runner.on(EVENT_SUITE_END, (suite: Mocha.Suite) => {
    const file = pathOf(suite);
    if (file === undefined || !suite.parent?.root) return;
    const run = runOf(file);
    run.ms += performance.now() - began.at;
    run.cpuMs += cpuMs() - began.cpu;
  });
  runner.on(EVENT_TEST_END, (test: Mocha.Test) => {
    const file = pathOf(test);
    if (file !== undefined) runOf(file).tests += 1;
  });
  return files;
}

/** The path of a test's file from the checkout, which is the working directory. */
function pathOf({ file }: { file?: string | undefined }): string | undefined {
  return file === undefined ? undefined : relative(process.cwd(), file);
}
