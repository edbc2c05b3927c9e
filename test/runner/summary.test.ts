import { expect } from "chai";
import type { Outcome } from "../../scripts/test/stage.ts";
import { summaryOf } from "../../scripts/test/summary.ts";

const file = (name: string, seconds: number) => ({
  file: `test/${name}.test.ts`,
  tests: 1,
  ms: seconds * 1000,
  cpuMs: seconds * 100,
});

const run = (name: string, seconds: number, outcome: Partial<Outcome> = {}) => ({
  name,
  ms: seconds * 1000,
  outcome: { passed: 1, failed: 0, ...outcome },
});

const shown = (runs: ReturnType<typeof run>[], { slowest = 10, deep = false, ms = 0, cpuMs = 0 } = {}) =>
  summaryOf(runs, { slowest, deep, ms, cpuMs }).join("\n");

describe("the summary of npm test", () => {
  it("lists the tests and duration of each stage, and the totals", () => {
    const runs = [run("style", 4.4), run("services", 187, { passed: 1_200, failed: 2 })];
    // They ran beside each other.
    const lines = shown(runs, { ms: 188_000, cpuMs: 301_000 }).split("\n");
    expect(lines.slice(1, 6)).to.deep.equal([
      "stage        tests    min:s",
      "style            1     0:04",
      "services      1202     3:07",
      "all           1203     3:08",
      "CPU time               5:01",
    ]);
  });

  it("lists the slowest files of all stages, the slowest first", () => {
    const runs = [
      run("unit", 1, { files: [file("a", 1), file("b", 3)] }),
      run("e2e", 1, { files: [file("c", 60)] }),
    ];
    expect(shown(runs, { slowest: 2 }).match(/test\/\w+/g)).to.deep.equal(["test/c", "test/b"]);
    expect(shown(runs)).to.include("   60.0 (6.0)    test/c.test.ts");
    expect(shown(runs, { slowest: 0 })).to.not.include("test/");
  });

  it("lists each failed test with its reason and the command that repeats its file", () => {
    const failures = [
      { file: "test/a.test.ts", title: "match chooses", message: "expected 1 to equal 2" },
      { file: "test/a.test.ts", title: "match refuses", message: "two\nlines" },
    ];
    expect(shown([run("unit", 1, { failed: 2, failures })])).to.include(
      [
        "✘ unit: test/a.test.ts",
        "    match chooses",
        "      expected 1 to equal 2",
        "    match refuses",
        "      two",
        "      lines",
        "    Run it again: npm test -- test/a.test.ts",
      ].join("\n"),
    );
    expect(shown([run("unit", 1, { failed: 2, failures })], { deep: true })).to.include(
      "npm test -- --deep test/a.test.ts",
    );
  });

  it("lists the command that repeats a check, or a stage that did not begin", () => {
    const check = run("types", 1, {
      passed: 0,
      failed: 1,
      failures: [{ title: "", message: "a.ts(1,2): error" }],
    });
    expect(shown([check])).to.include(
      "✘ types\n      a.ts(1,2): error\n    Run it again: npm test -- --only types\n",
    );
    const stage = run("docker", 1, { passed: 0, failed: 1, note: "No Docker engine." });
    expect(shown([stage])).to.include(
      "✘ docker\n      No Docker engine.\n    Run it again: npm test -- --only docker\n",
    );
  });

  it("shortens a long reason", () => {
    const message = Array.from({ length: 30 }, (_, index) => `line ${index}`).join("\n");
    const text = shown([run("style", 1, { failed: 1, failures: [{ title: "", message }] })]);
    expect(text).to.include("line 19\n      … 10 more lines above").and.not.include("line 20");
  });

  it("counts the passed and failed tests of all stages", () => {
    expect(shown([run("a", 1, { passed: 3 }), run("b", 1, { failed: 2 })])).to.match(/\n4 passed, 2 failed$/);
  });
});
