// `npm run mutate:invariants`: each Solidity test must fail under a fault of what it checks, and pass without it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { buildMutants, folder, solidityTests } from "./build.ts";
import { mutantsOf, type Seeded, seeded, testNames, unmatched } from "./faults.ts";
import { faultSources, fingerprintOf } from "./fingerprint.ts";
import { noFault, type Outcome, outcomesUnder, type Verdict, verdictOf } from "./outcomes.ts";
import type { Mutant } from "./schemata.ts";

type Result = Seeded & { line: number; verdict: Verdict };
type State = { fingerprint: string; control: Record<string, Outcome>; results: Result[] };

const rootDir = join(import.meta.dirname, "../..");
const stateFile = join(rootDir, folder, "invariants.json");

const program = new Command("npm run mutate:invariants --")
  .description("Runs each Solidity test without a fault, and under faults that it must find.")
  .argument("[tests...]", "only these tests (default: all)")
  .option("--resume", "keep the found faults for the same tests and contracts")
  .option("--json", "the result as JSON")
  .parse();
const options = program.opts<{ resume?: boolean; json?: boolean }>();

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function readState(fingerprint: string): State {
  const empty = { fingerprint, control: {}, results: [] };
  if (!options.resume) return empty;
  try {
    const state = JSON.parse(readFileSync(stateFile, "utf8")) as State;
    return state.fingerprint === fingerprint ? state : empty;
  } catch {
    return empty;
  }
}

function isSame(one: Seeded, other: Seeded): boolean {
  return (["test", "file", "was", "now"] as const).every((field) => one[field] === other[field]);
}

/** Only found faults are kept; the others are repeated. */
function keptOf({ control, results }: State, fault: Seeded): Result | undefined {
  const known = results.find((one) => isSame(one, fault));
  return known?.verdict.kind === "finds" && control[fault.test]?.passed ? known : undefined;
}

/** If a statement occurs several times, one found fault is enough. */
async function tryFault(fault: Seeded, mutants: readonly Mutant[], control: Outcome | undefined) {
  let result: Result = { ...fault, line: 0, verdict: verdictOf(control, undefined) };
  if (!control?.passed) return result;
  for (const { id, line } of mutantsOf(fault, mutants)) {
    const outcomes = await outcomesUnder(rootDir, id, [fault.test]);
    result = { ...fault, line, verdict: verdictOf(control, outcomes.get(fault.test)) };
    if (result.verdict.kind === "finds") break;
  }
  return result;
}

function describe({ test, file, line, was, now, verdict }: Result): string {
  const what = now === "" ? `without ${was}` : `${was} → ${now}`;
  const reason = "reason" in verdict ? `: ${verdict.reason}` : "";
  const mark = verdict.kind === "finds" ? "✔" : "✘";
  return `${mark} ${test}: contracts/${file}:${line}, ${what}\n    ${verdict.kind}${reason}`;
}

async function main(): Promise<void> {
  const names = testNames(rootDir);
  const chosen = program.args.length === 0 ? names : program.args;
  const { withoutFault, withoutTest } = unmatched(names);
  for (const test of withoutFault) say(`✘ ${test}: it has no fault to find`);
  for (const test of withoutTest) say(`✘ ${test}: the test does not exist`);
  const unknown = chosen.filter((test) => !names.includes(test));
  if (unknown.length > 0) throw new Error(`Unknown tests: ${unknown.join(", ")}.`);

  const mutants = buildMutants(rootDir);
  const faults = seeded.filter(({ test }) => chosen.includes(test));
  for (const fault of faults) mutantsOf(fault, mutants);
  const state = readState(fingerprintOf(rootDir, [...faultSources, `${solidityTests}/**/*.sol`]));
  const open = chosen.filter((test) => state.control[test]?.passed !== true);
  if (open.length > 0) {
    say(`${open.length} tests without a fault`);
    const outcomes = await outcomesUnder(rootDir, noFault, open);
    for (const [test, outcome] of outcomes) state.control[test] = outcome;
  }
  const results: Result[] = [];
  for (const fault of faults) {
    const result = keptOf(state, fault) ?? (await tryFault(fault, mutants, state.control[fault.test]));
    results.push(result);
    say(describe(result));
    state.results = [...state.results.filter((one) => !isSame(one, fault)), result];
    writeFileSync(stateFile, JSON.stringify(state, null, 1));
  }
  const finds = results.filter(({ verdict }) => verdict.kind === "finds");
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else process.stdout.write(`${finds.length} of ${results.length} faults found\n`);
  const isWhole = withoutFault.length + withoutTest.length === 0 && finds.length === results.length;
  process.exitCode = isWhole ? 0 : 1;
}

await main();
