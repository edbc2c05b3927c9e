import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Outcome } from "../../scripts/test/stage.ts";
import { mocha, runTests } from "../../scripts/test/tests.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

const nothing = { databases: async () => ({}), docker: async () => ({}), stop: async () => undefined };

/** Runs test files given by name and content. */
async function outcomeOf(
  files: Record<string, string>,
  { quick = false, processes = "together" as "together" | "apart", stateDir = "" } = {},
): Promise<Outcome> {
  using dir = temporaryDir();
  mkdirSync(join(dir.path, "test"));
  for (const folder of ["node_modules", "scripts"])
    symlinkSync(join(rootDir, folder), join(dir.path, folder));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir.path, "test", name), text);
  const run = { files: ["test/*.test.ts"], command: mocha, env: async () => ({}), processes, silent: true };
  const signal = new AbortController().signal;
  return await runTests(run, {
    rootDir: dir.path,
    stateDir: stateDir || dir.path,
    quick,
    parts: nothing,
    signal,
  });
}

const pass = 'it("holds", () => undefined);';
const fail = 'it("does not hold", () => { throw new Error("as this test means it to"); });';
const failure = "\n      does not hold\n        as this test means it to";

describe("test runner", () => {
  it("counts what passes and what fails, and says what was wrong", async () => {
    const outcome = await outcomeOf({
      "a.test.ts": pass + fail,
      "b.test.ts": `${pass} it.skip("later", () => undefined);`,
    });
    expect(outcome).to.deep.equal({
      passed: 2,
      failed: 1,
      note: `2 passed, 1 failed, 1 skipped\n    the run: 1 failed${failure}`,
    });
  });

  it("says so when there is nothing to run", async () => {
    expect(await outcomeOf({})).to.deep.equal({ passed: 0, failed: 0, note: "no files" });
  });

  it("leaves out slow files when it must be quick", async () => {
    const { passed } = await outcomeOf({ "a.test.ts": pass, "b.slow.test.ts": pass }, { quick: true });
    expect(passed).to.equal(1);
  });

  it("counts a file that cannot be read as a failure", async () => {
    const outcome = await outcomeOf({ "a.test.ts": 'import "./not-there.ts";' });
    const note = "0 passed, 1 failed\n    the run ended before its tests did: exit code 1";
    expect(outcome).to.deep.equal({ passed: 0, failed: 1, note });
  });

  it("counts a process that breaks after its tests as a failure", async () => {
    const breaking = "after(() => { setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100); });";
    const outcome = await outcomeOf({ "a.test.ts": pass + breaking });
    const note = "1 passed, 1 failed\n    the run ended after its tests: killed by SIGKILL";
    expect(outcome).to.deep.equal({ passed: 1, failed: 1, note });
  });

  it("runs files apart, each in a process of its own, and names those that fail", async () => {
    const once = 'if (globalThis.process.env.SEEN) throw new Error("seen"); process.env.SEEN = "1";';
    const files = { "a.test.ts": once + pass, "b.test.ts": once + pass + fail, "c.test.ts": once + pass };
    const outcome = await outcomeOf(files, { processes: "apart" });
    const note = `3 passed, 1 failed\n    test/b.test.ts: 1 failed${failure}`;
    expect(outcome).to.deep.equal({ passed: 3, failed: 1, note });
  });

  it("does not take the counts of an earlier run for its own", async () => {
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

  it("refuses a test file that leaves the others out", async () => {
    const { passed, failed } = await outcomeOf({ "a.test.ts": `it.only("alone", () => undefined); ${pass}` });
    expect({ passed, failed }).to.deep.equal({ passed: 0, failed: 1 });
  });
});
