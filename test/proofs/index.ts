// `npm run proofs`: each property must be proven, and each of its faults refuted. See docs/contracts/proofs.md.
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { type Artifact, compile, type Fault } from "./compile.ts";
import { properties, type Stated } from "./properties.ts";
import { prove, type Verdict } from "./prove.ts";
import { type Solver, startSolver } from "./smt.ts";

const rootDir = join(import.meta.dirname, "../..");

const program = new Command("npm run proofs --")
  .description("Proves properties of the contracts' compiled code, and refutes them under faults.")
  .argument("[names...]", "only properties whose name or contract contains one of these")
  .option("--seconds <n>", "most time for one question to the solver", secondsOf, 60)
  .option("--open", "also what is not proven so far")
  .option("--no-faults", "only the proofs")
  .option("--json", "the result as JSON")
  .parse();
const options = program.opts<{ seconds: number; faults: boolean; open?: boolean; json?: boolean }>();

type Result = {
  name: string;
  title: string;
  fault?: Fault;
  verdict: Verdict;
  seconds: number;
  isRight: boolean;
};

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1) throw new InvalidArgumentError("Not a number of seconds.");
  return seconds;
}

const honest = new Map<string, Map<string, Artifact>>();

/** Without a fault, a harness is compiled once. */
function contractsOf(contract: string, fault?: Fault): Map<string, Artifact> {
  if (fault !== undefined) return compile(rootDir, [contract], fault);
  const contracts = honest.get(contract) ?? compile(rootDir, [contract]);
  honest.set(contract, contracts);
  return contracts;
}

async function judge(solver: Solver, property: Stated, fault?: Fault): Promise<Result> {
  const began = Date.now();
  const contracts = contractsOf(property.contract, fault);
  const verdict = await prove({ contracts, solver, milliseconds: options.seconds * 1_000 }, property);
  const { name, title } = property;
  const isRight = verdict.kind === (fault === undefined ? "proven" : "refuted");
  const seconds = Math.round((Date.now() - began) / 100) / 10;
  return { name, title, ...(fault && { fault }), verdict, seconds, isRight };
}

function describe({ name, title, fault, verdict, seconds, isRight }: Result): string {
  const mark = isRight ? "✔" : "✘";
  const time = `${seconds.toFixed(1)} s`;
  if (fault === undefined) {
    const paths = verdict.kind === "proven" ? `, ${verdict.paths} paths` : "";
    return `${mark} ${title}: ${verdict.kind}${paths}, ${time}${reasonOf(verdict)}\n    ${name}`;
  }
  const what =
    fault.now.trim() === "" ? `without ${fault.was.trim()}` : `${fault.was.trim()} → ${fault.now.trim()}`;
  return `${mark}     ${verdict.kind}, ${time}: ${fault.file}, ${what}${reasonOf(verdict)}`;
}

function reasonOf(verdict: Verdict): string {
  if (verdict.kind === "unproven") return ` (${verdict.reason})`;
  if (verdict.kind === "proven") return "";
  const values = Object.entries(verdict.values).map(([name, value]) => `${name} = ${value}`);
  return `\n      panic 0x${verdict.code.toString(16)} at ${values.join(", ")}`;
}

function say(result: Result): void {
  if (!options.json) process.stdout.write(`${describe(result)}\n`);
}

const wanted = properties.filter(({ name, contract, isOpen }) => {
  if (isOpen && !options.open) return false;
  return (
    program.args.length === 0 || program.args.some((part) => name.includes(part) || contract.includes(part))
  );
});
if (wanted.length === 0) program.error(`No property has ${program.args.join(" or ")} in its name.`);
const solver = await startSolver();
const results: Result[] = [];
for (const property of wanted) {
  const runs = [undefined, ...(options.faults ? property.faults : [])];
  for (const fault of runs) {
    const result = await judge(solver, property, fault);
    results.push(result);
    say(result);
  }
}
if (options.json) {
  const text = JSON.stringify(results, (_, value) => (typeof value === "bigint" ? String(value) : value), 2);
  process.stdout.write(`${text}\n`);
} else {
  const right = results.filter(({ isRight }) => isRight).length;
  process.stdout.write(`${right} of ${results.length} as they must be, ${solver.queries()} questions\n`);
}
// The solver's threads would keep the process alive.
process.exit(results.every(({ isRight }) => isRight) ? 0 : 1);
