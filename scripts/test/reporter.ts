import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import { reportVariable, type TestReport } from "./report.ts";

const { Spec } = Mocha.reporters;

/** Mocha's spec output, and the counts in the file that the runner names. */
export default class CountingSpec extends Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env[reportVariable];
    if (file === undefined) return;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      const report: TestReport = { passed: passes, failed: failures, skipped: pending };
      writeFileSync(file, JSON.stringify(report));
    });
  }
}
