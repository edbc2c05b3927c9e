import { join } from "node:path";
import { Command } from "commander";
import { rootDir } from "../../support/parts.ts";
import { enter, type Lines } from "./enter.ts";
import { cloneInto, prepareMachine } from "./machine.ts";

/*
 * Measures the start of a whole market on a fresh machine, a bare Debian 12 with Node 20, npm and a clean clone of
 * HEAD, and then a second start there (docs/benchmarks.md).
 */

type Phase = { name: string; ms: number };
type Start = { ms: number; phases: Phase[] };
type Report = { totalMs: number; secondMs: number; phases: Phase[]; secondPhases: Phase[] };

/** `npm run bench -- first-start`: `npm start -- --once`, twice. */
export async function run(args: string[]): Promise<void> {
  const { json } = new Command("npm run bench -- first-start")
    .option("--json", "the result as JSON, on the last line")
    .parse(args, { from: "user" })
    .opts<{ json?: true }>();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  using machine = await prepareMachine(join(rootDir, ".ngpu/bench/first-start"), say);
  await cloneInto(machine.root);
  const first = await start(machine.root, say);
  const second = await start(machine.root, say);
  const report: Report = {
    totalMs: first.ms,
    secondMs: second.ms,
    phases: first.phases,
    secondPhases: second.phases,
  };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : table(report));
}

/** One start, from the command to its end. */
async function start(root: string, say: (line: string) => void): Promise<Start> {
  const began = performance.now();
  let installedAt = began;
  const onLine = (line: string) => {
    say(`  ${line}`);
    // The bootstrap's last line; the market's output follows.
    if (/^Installing .* \.\.\. [\d.]+ s$/.test(line)) installedAt = performance.now();
  };
  const command = "cd /root/ngpu && exec npm start --silent -- --once --json";
  const lines: Lines = await enter(root, command, onLine);
  const ms = Math.round(performance.now() - began);
  const { steps } = JSON.parse(lines.last) as { steps: Phase[] };
  return { ms, phases: [{ name: "install", ms: Math.round(installedAt - began) }, ...steps] };
}

function table({ totalMs, secondMs, phases, secondPhases }: Report): string {
  const seconds = (ms: number | undefined) =>
    ms === undefined ? "".padStart(9) : `${(ms / 1000).toFixed(1)} s`.padStart(9);
  const row = (name: string, first: number | undefined, second: number | undefined) =>
    `${name.padEnd(14)}${seconds(first)}${seconds(second)}`;
  const again = new Map(secondPhases.map(({ name, ms }) => [name, ms]));
  const rows = phases.map(({ name, ms }) => row(name, ms, again.get(name)));
  const head = `${"".padEnd(14)}${"first".padStart(9)}${"second".padStart(9)}`;
  return `${[head, ...rows, row("all", totalMs, secondMs)].join("\n")}\n`;
}
