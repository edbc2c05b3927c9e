// `npm run mutate`: counts how many small faults of the contracts their tests find. See docs/contracts/mutation.md.
import { Command } from "commander";
import { keep, prepare, work } from "./prepare.ts";
import { processEnded, type Result, type TestRecord } from "./results.ts";
import { sampleOf } from "./sample.ts";
import type { Mutant } from "./schemata.ts";

type Options = {
  sample?: string;
  seed: string;
  resume?: boolean;
  json?: boolean;
  file?: string;
  jobs: string;
};

const options = new Command("npm run mutate --")
  .description(
    "Injects small faults into the contracts, one at a time, and runs the tests that execute them.",
  )
  .option("--sample <count>", "number of faults, drawn by the seed (default: all)")
  .option("--seed <number>", "seed of the draw", "1")
  .option("--file <part>", "only faults of files whose path contains this")
  .option(
    "--resume",
    "keep the found faults for the same contracts; repeat survivors if the tests have changed",
  )
  .option("--jobs <count>", "number of concurrent processes", "1")
  .option("--json", "the result as JSON")
  .parse()
  .opts<Options>();

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { mutants, record, results: kept } = await prepare({ resume: options.resume ?? false, say });
  const results = new Map(kept.map((result) => [result.id, result]));
  const eligible = mutants.filter(({ file }) => file.includes(options.file ?? ""));
  const drawn = options.sample ? sampleOf(eligible, Number(options.sample), Number(options.seed)) : eligible;
  const note = (result: Result) => {
    results.set(result.id, result);
    keep([...results.values()]);
    if (result.killedBy === undefined) say(`survived: ${describe(mutants, result)}`);
  };
  const isCold = new Set(record.deployment);
  const open = drawn
    .filter(({ id }) => !results.has(id))
    .map(({ id }) => ({ id, titles: titlesFor(record, id) }));
  for (const { id } of open.filter(({ titles }) => titles.length === 0)) note({ id, uncovered: true });
  const hot = open.filter(({ id, titles }) => titles.length > 0 && !isCold.has(id));
  // A fault that the deployment executes needs its own deployment.
  const batches = [...open.filter(({ id }) => isCold.has(id)).map((job) => [job]), hot];
  const queue = batches.filter((batch) => batch.length > 0).flatMap((batch) => chunksOf(batch, 50));
  const worker = async () => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) await runBatch(batch, note);
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, worker));
  report(
    mutants,
    drawn.map(({ id }) => results.get(id)).filter((result) => result !== undefined),
  );
}

/** Restarts the process until every fault of the batch has a result. */
async function runBatch(
  batch: { id: number; titles: string[] }[],
  note: (result: Result) => void,
): Promise<void> {
  let open = batch;
  while (open.length > 0) {
    const done = new Set<number>();
    let begun: number | undefined;
    const take = (line: string) => {
      const result = JSON.parse(line) as Result | { begun: number };
      if ("begun" in result) {
        begun = result.begun;
        return;
      }
      done.add(result.id);
      note(result);
    };
    // Passed on stdin, because each fault comes with the titles of its tests and arguments are limited.
    await work(["run"], take, JSON.stringify(open));
    if (begun === undefined) throw new Error("The tests' process ended before its first fault: see above.");
    // If the process ended under a fault, it found the fault.
    if (!done.has(begun)) {
      done.add(begun);
      note({ id: begun, killedBy: processEnded });
    }
    open = open.filter(({ id }) => !done.has(id));
  }
}

/** Tests that execute a fault, the fastest first; all tests if the deployment executes it. */
function titlesFor({ deployment, tests }: TestRecord, id: number): string[] {
  const meets = deployment.includes(id) ? tests : tests.filter((test) => test.passed.includes(id));
  return meets.toSorted((a, b) => a.duration - b.duration).map(({ title }) => title);
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, place) =>
    items.slice(place * size, (place + 1) * size),
  );
}

function describe(mutants: readonly Mutant[], { id, uncovered }: Result): string {
  const mutant = mutants.find((candidate) => candidate.id === id);
  if (mutant === undefined) return String(id);
  const { file, line, operator, was, now } = mutant;
  return `${id} ${file}:${line} ${operator}${uncovered ? ", executed by no test" : ""}\n    - ${was}\n    + ${now}`;
}

function report(mutants: readonly Mutant[], results: readonly Result[]): void {
  const survivors = results.filter(({ killedBy }) => killedBy === undefined);
  const found = results.length - survivors.length;
  const score = results.length === 0 ? 0 : found / results.length;
  const { sample, seed } = options;
  if (options.json) {
    const list = survivors.map(({ id, uncovered }) => {
      return { ...mutants.find((mutant) => mutant.id === id), uncovered: uncovered ?? false };
    });
    const whole = {
      faults: mutants.length,
      run: results.length,
      seed: sample ? seed : undefined,
      found,
      score,
    };
    process.stdout.write(`${JSON.stringify({ ...whole, survivors: list }, null, 2)}\n`);
    return;
  }
  for (const result of survivors) process.stdout.write(`${describe(mutants, result)}\n`);
  const drawn = sample ? `, drawn with seed ${seed}` : "";
  process.stdout.write(`${found} of ${results.length} faults found (${(score * 100).toFixed(1)}%)${drawn}\n`);
}

await main();
