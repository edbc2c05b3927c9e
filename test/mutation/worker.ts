// Runs the contracts' tests under one fault after another. Faults and the titles of their tests are read from stdin;
// each result is one line.
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import Mocha from "mocha";
import { passed, setSwitch } from "./switch.ts";
import { applySwitch, prepare, type TestCase, testFiles } from "./tests.ts";

const { EVENT_TEST_PASS, EVENT_TEST_FAIL } = Mocha.Runner.constants;
const rootDir = join(import.meta.dirname, "../..");

type Run = { passes: TestCase[]; failed: string[]; isTimeout: boolean };

/** Runs the tests with these titles, or all; with `bail`, stops at the first failure. */
async function runTests(mocha: Mocha, titles: readonly string[] | undefined, bail: boolean): Promise<Run> {
  const passes: TestCase[] = [];
  const failed: string[] = [];
  let isTimeout = false;
  const escaped = titles?.map((title) => title.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  mocha.grep(escaped === undefined ? /./ : new RegExp(`^(?:${escaped.join("|")})$`));
  mocha.bail(bail);
  await new Promise<void>((resolve) => {
    const runner = mocha.run(() => resolve());
    runner.on("test", () => passed.clear());
    runner.on(EVENT_TEST_PASS, (test) => {
      passes.push({ title: test.fullTitle(), duration: test.duration ?? 0, passed: [...passed] });
    });
    runner.on(EVENT_TEST_FAIL, (test, error: Error & { code?: string }) => {
      failed.push(test.fullTitle());
      isTimeout ||= error.code === "ERR_MOCHA_TIMEOUT";
    });
  });
  return { passes, failed, isTimeout };
}

const mocha = new Mocha({ timeout: 20_000, reporter: class {} as unknown as Mocha.ReporterConstructor });
mocha.cleanReferencesAfterRun(false);
for (const file of testFiles(rootDir)) mocha.addFile(file);
await mocha.loadFilesAsync();

const [mode, ...args] = process.argv.slice(2);
if (mode === "record") {
  setSwitch("recording");
  const deployment = await prepare();
  const { passes, failed } = await runTests(mocha, undefined, false);
  writeFileSync(args[0] ?? "", JSON.stringify({ deployment, tests: passes, failed }));
} else {
  const jobs = JSON.parse(await text(process.stdin)) as { id: number; titles: string[] }[];
  for (const { id, titles } of jobs) {
    // Marks that the process began this fault. If it ends now, the fault ended it.
    writeSync(1, `${JSON.stringify({ begun: id })}\n`);
    setSwitch(id);
    await applySwitch();
    // The fastest first, because most faults are found by any test that executes them.
    const first = titles.slice(0, 4);
    let run = await runTests(mocha, first, true);
    if (run.failed.length === 0 && titles.length > 4) run = await runTests(mocha, titles.slice(4), true);
    writeSync(1, `${JSON.stringify({ id, killedBy: run.failed[0] })}\n`);
    // An unfinished test could affect the next fault.
    if (run.isTimeout) break;
  }
}
process.exit();
