import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import { reportVariable, type TestReport } from "./report.ts";

const { Spec } = Mocha.reporters;
const { EVENT_RUN_END, EVENT_TEST_FAIL } = Mocha.Runner.constants;

/** Mocha's spec output, and the counts and failures in the file that the runner names. */
export default class CountingSpec extends Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env[reportVariable];
    if (file === undefined) return;
    const failures: TestReport["failures"] = [];
    runner.on(EVENT_TEST_FAIL, (test: Mocha.Test, error: Error) =>
      failures.push({ title: test.fullTitle(), message: error.message }),
    );
    runner.once(EVENT_RUN_END, () => {
      const { passes = 0, failures: failed = 0, pending = 0 } = runner.stats ?? {};
      const report: TestReport = { passed: passes, failed, skipped: pending, failures };
      writeFileSync(file, JSON.stringify(report));
    });
  }
}
