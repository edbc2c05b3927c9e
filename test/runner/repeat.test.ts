import { expect } from "chai";
import { repeatFailures } from "../../scripts/test/repeat.ts";
import type { Failure } from "../../scripts/test/report.ts";
import type { Outcome } from "../../scripts/test/stage.ts";
import { summaryOf } from "../../scripts/test/summary.ts";

const failure = (file: string | undefined, title = "t"): Failure => ({ file, title, message: "late" });
const failed = (...failures: Failure[]): Outcome => ({ passed: 5, failed: failures.length, failures });
const passed: Outcome = { passed: 3, failed: 0, failures: [] };

/** Runs with the outcome of the second run of each stage; the calls that it made. */
async function repeated(outcomes: Record<string, Outcome>, second: Record<string, Outcome> = {}) {
  const calls: string[] = [];
  const runs = Object.entries(outcomes).map(([name, outcome]) => ({ name, outcome, ms: 1 }));
  const result = await repeatFailures(runs, async (stage, files) => {
    calls.push(`${stage}: ${files.join(" ")}`);
    return second[stage] ?? passed;
  });
  return { calls, outcomes: result.map(({ outcome }) => outcome), result };
}

describe("files of failed tests, run again", () => {
  it("are run once each, by stage, and none where all passed", async () => {
    const { calls } = await repeated({
      unit: passed,
      services: failed(failure("a"), failure("a"), failure("b")),
      docker: failed(failure("c")),
    });
    expect(calls).to.deep.equal(["services: a b", "docker: c"]);
  });

  it("make a failure flaky when their file passes, and the summary lists it with its reason", async () => {
    const { outcomes, result } = await repeated({ services: failed(failure("a", "match waits")) });
    expect(outcomes[0]).to.include({ passed: 6, failed: 0 });
    const text = summaryOf(result, { slowest: 0, deep: false, ms: 0, cpuMs: 0 }).join("\n");
    expect(text).to.include(
      "⚠ services: a\n    match waits\n      late\n    Passed when its file was run again. Fix it.",
    );
    expect(text).to.include("6 passed, 0 failed; 1 of those that passed failed at first");
  });

  it("stay failed when they fail again, all failures of the file", async () => {
    const first = failed(failure("a", "one"), failure("a", "two"), failure("b"));
    const { outcomes } = await repeated({ services: first }, { services: failed(failure("a", "three")) });
    expect(outcomes[0]).to.include({ passed: 6, failed: 2 });
    expect(outcomes[0]?.failures?.map(({ title }) => title)).to.deep.equal(["one", "two"]);
  });

  it("stay failed when their process ends without saying which failed", async () => {
    const { outcomes } = await repeated(
      { docker: failed(failure("a")) },
      { docker: { passed: 0, failed: 1 } },
    );
    expect(outcomes[0]).to.include({ passed: 5, failed: 1 });
  });

  it("are not run again when a failure has no file, or many files failed", async () => {
    const many = failed(...Array.from({ length: 9 }, (_, index) => failure(`file ${index}`)));
    for (const outcome of [failed(failure("a"), failure(undefined)), { passed: 0, failed: 1 }, many]) {
      const { calls, outcomes } = await repeated({ services: outcome });
      expect(calls).to.deep.equal([]);
      expect(outcomes).to.deep.equal([outcome]);
    }
  });
});
