import { globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Outcome, StageContext } from "../../scripts/test/stage.ts";
import { mocha, runTests } from "../../scripts/test/tests.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

const nothing = {
  databases: async () => ({}),
  chain: async () => ({}),
  docker: async () => ({}),
  stop: async () => undefined,
};

/** Runs test files given by name and content. */
async function outcomeOf(
  files: Record<string, string>,
  {
    processes = "together" as "together" | "apart",
    stateDir = "",
    withHooks = false,
    shares,
    atEnd,
    ...asked
  }: Partial<Pick<StageContext, "quick" | "deep" | "grep" | "files" | "workers">> & {
    processes?: "together" | "apart";
    stateDir?: string;
    shares?: (file: string) => boolean;
    /** Is given the directory before it is removed. */
    atEnd?: (dir: string) => void;
    /** True makes mocha read the checkout's settings. */
    withHooks?: boolean;
  } = {},
): Promise<Outcome> {
  using dir = temporaryDir();
  mkdirSync(join(dir.path, "test"));
  const hooks = withHooks ? [".mocharc.json", "test/support"] : [];
  for (const path of ["node_modules", "scripts", ...hooks])
    symlinkSync(join(rootDir, path), join(dir.path, path));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, "test", name), text);
  const list = (root: string) => globSync("test/*.test.ts", { cwd: root }).sort();
  const run = {
    files: list,
    command: mocha,
    env: async () => ({}),
    processes,
    silent: true,
    ...(shares && { shares }),
  };
  const signal = new AbortController().signal;
  const outcome = await runTests(run, {
    rootDir: dir.path,
    stateDir: stateDir || dir.path,
    quick: false,
    live: true,
    parts: nothing,
    signal,
    ...asked,
  });
  atEnd?.(dir.path);
  return outcome;
}

/** An outcome without the durations of its files. */
function resultOf({ files: _, ...result }: Outcome): Outcome {
  return result;
}

const pass = 'it("holds", () => undefined);';
const fail = 'it("does not hold", () => { throw new Error("expected by this test"); });';
const failure = { title: "does not hold", message: "expected by this test" };

describe("test runner", () => {
  it("counts passed and failed tests, with the reasons", async () => {
    const outcome = await outcomeOf({
      "a.test.ts": pass + fail,
      "b.test.ts": `${pass} it.skip("later", () => undefined);`,
    });
    expect(resultOf(outcome)).to.deep.equal({
      passed: 2,
      failed: 1,
      note: "2 passed, 1 failed, 1 skipped",
      failures: [{ file: "test/a.test.ts", ...failure }],
    });
  });

  it("reports that there are no files to run", async () => {
    expect(await outcomeOf({})).to.deep.equal({ passed: 0, failed: 0, note: "no files" });
  });

  it("skips slow files with --quick", async () => {
    const { passed } = await outcomeOf({ "a.test.ts": pass, "b.slow.test.ts": pass }, { quick: true });
    expect(passed).to.equal(1);
  });

  it("counts a file that cannot be read as a failure", async () => {
    const outcome = await outcomeOf({ "a.test.ts": 'import "./not-there.ts";' });
    const title = "The tests' process ended before its tests did";
    expect(resultOf(outcome)).to.deep.equal({
      passed: 0,
      failed: 1,
      note: "0 passed, 1 failed",
      failures: [{ file: "test/a.test.ts", title, message: "exit code 1" }],
    });
  });

  it("counts a process that crashes after its tests as a failure", async () => {
    const breaking = "after(() => { setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100); });";
    const outcome = await outcomeOf({ "a.test.ts": pass + breaking });
    const title = "The tests' process ended after its tests";
    expect(resultOf(outcome)).to.deep.equal({
      passed: 1,
      failed: 1,
      note: "1 passed, 1 failed",
      failures: [{ file: "test/a.test.ts", title, message: "killed by SIGKILL" }],
    });
  });

  it("runs each file in its own process, and names the files that fail", async () => {
    const once = 'if (globalThis.process.env.SEEN) throw new Error("seen"); process.env.SEEN = "1";';
    const files = { "a.test.ts": once + pass, "b.test.ts": once + pass + fail, "c.test.ts": once + pass };
    const outcome = await outcomeOf(files, { processes: "apart" });
    expect(resultOf(outcome)).to.deep.equal({
      passed: 3,
      failed: 1,
      note: "3 passed, 1 failed",
      failures: [{ file: "test/b.test.ts", ...failure }],
    });
  });

  it("runs files that share a process in one, and each in its own when that one crashes", async () => {
    const pid = 'import { appendFileSync } from "node:fs"; appendFileSync("test/pids", process.pid + " ");';
    const count = 'it("runs", () => undefined);';
    const shares = (file: string) => !file.endsWith("alone.test.ts");
    const seen: string[] = [];
    const files = { "a.test.ts": pid + count, "b.test.ts": pid + count, "alone.test.ts": pid + count };
    const read = (dir: string) =>
      seen.push(...readFileSync(join(dir, "test/pids"), "utf8").trim().split(" "));
    expect(await outcomeOf(files, { processes: "apart", shares, atEnd: read })).to.include({ passed: 3 });
    expect(new Set(seen).size).to.equal(2);
    const crash = "after(() => { process.kill(process.pid, 'SIGKILL'); });";
    const crashed = await outcomeOf({ ...files, "c.test.ts": pass + crash }, { processes: "apart", shares });
    expect(crashed).to.include({ failed: 1 });
    expect(crashed.failures?.map(({ file }) => file)).to.deep.equal(["test/c.test.ts"]);
    expect(crashed.passed).to.be.at.least(3);
  });

  it("runs no more files at the same time than it may", async () => {
    // Each file fails if another runs: a directory is made by one process alone.
    const only = 'import { mkdirSync, rmdirSync } from "node:fs"; mkdirSync("test/running");';
    const text = `${only} ${pass} it("takes a while", (done) => setTimeout(done, 300)); after(() => rmdirSync("test/running"));`;
    const files = { "a.test.ts": text, "b.test.ts": text, "c.test.ts": text };
    const outcome = await outcomeOf(files, { processes: "apart", workers: 1 });
    expect(outcome).to.include({ passed: 6, failed: 0 });
  });

  it("does not use the counts of an earlier run", async () => {
    using dir = temporaryDir();
    writeFileSync(join(dir.path, "run-0.json"), JSON.stringify({ passed: 9, failed: 0, skipped: 0 }));
    const outcome = await outcomeOf({ "a.test.ts": 'import "./not-there.ts";' }, { stateDir: dir.path });
    expect(outcome).to.include({ passed: 0, failed: 1 });
  });

  it("counts a hook that fails", async () => {
    const { failed } = await outcomeOf({
      "a.test.ts": `before(() => { throw new Error("no database"); }); ${pass}`,
    });
    expect(failed).to.equal(1);
  });

  it("runs only the requested files, even slow ones", async () => {
    const files = { "a.test.ts": fail, "b.slow.test.ts": pass };
    const { passed, failed } = await outcomeOf(files, { quick: true, files: ["test/b.slow.test.ts"] });
    expect({ passed, failed }).to.deep.equal({ passed: 1, failed: 0 });
  });

  it("runs only the tests whose title matches", async () => {
    const { passed, failed } = await outcomeOf({ "a.test.ts": pass + fail }, { grep: "^holds" });
    expect({ passed, failed }).to.deep.equal({ passed: 1, failed: 0 });
  });

  it("tries ten times as many histories with --deep, also for properties without a number of runs", async () => {
    const property = `
      import fc from "fast-check";
      import { expect } from "chai";
      import { runs } from "${join(rootDir, "test/support/runs.ts")}";
      const tried = (options) => {
        let count = 0;
        fc.assert(fc.property(fc.nat(), () => { count += 1; }), options);
        return count;
      };
      it("is deep", () => { expect([tried({ numRuns: runs(7) }), tried({})]).to.deep.equal([70, 1000]); });
      it("is not deep", () => { expect([tried({ numRuns: runs(7) }), tried({})]).to.deep.equal([7, 100]); });`;
    for (const deep of [true, false]) {
      const { passed } = await outcomeOf(
        { "a.test.ts": property },
        { deep, grep: deep ? "is deep" : "is not deep", withHooks: true },
      );
      expect(passed).to.equal(1);
    }
  });

  it("reports the tests and the duration of each file", async () => {
    const suite = (text: string) => `describe("a suite", () => { ${text} });`;
    const files = { "a.test.ts": suite(pass), "b.test.ts": suite(`${pass} ${pass}`) };
    for (const processes of ["together", "apart"] as const) {
      const outcome = await outcomeOf(files, { processes });
      const runs = [...(outcome.files ?? [])].sort((a, b) => a.tests - b.tests);
      expect(runs.map(({ file, tests }) => [file, tests])).to.deep.equal([
        ["test/a.test.ts", 1],
        ["test/b.test.ts", 2],
      ]);
      for (const { ms, cpuMs } of runs) expect(Math.min(ms, cpuMs)).to.be.greaterThan(0);
    }
  });

  it("rejects a test file with it.only", async () => {
    const { passed, failed } = await outcomeOf({ "a.test.ts": `it.only("alone", () => undefined); ${pass}` });
    expect({ passed, failed }).to.deep.equal({ passed: 0, failed: 1 });
  });
});
