import type { Failure, FileRun } from "./report.ts";
import type { Outcome } from "./stage.ts";

/** A stage that ran, and its duration. */
export type StageRun = { name: string; outcome: Outcome; ms: number };

// Longer messages are cut at this line at the end; the complete message is above.
const MESSAGE_LINES = 20;

/**
 * The end of a run: duration of each stage, the slowest files, each failure with its reason and the command that
 * repeats it, and the counts.
 *
 * @param options.ms Duration of the whole run, in which stages ran beside each other.
 * @param options.cpuMs CPU time of the run and all its processes.
 */
export function summaryOf(
  runs: readonly StageRun[],
  options: { slowest: number; deep: boolean; ms: number; cpuMs: number },
): string[] {
  const [passed, failed] = (["passed", "failed"] as const).map((kind) =>
    runs.reduce((sum, { outcome }) => sum + outcome[kind], 0),
  );
  const flaky = runs.reduce((sum, { outcome }) => sum + (outcome.flaky?.length ?? 0), 0);
  return [
    ...stageTable(runs, options),
    ...slowestFiles(
      runs.flatMap(({ outcome }) => outcome.files ?? []),
      options.slowest,
    ),
    ...runs.flatMap((run) => failuresOf(run, options.deep)),
    "",
    `${passed} passed, ${failed} failed${flaky > 0 ? `; ${flaky} of those that passed failed at first` : ""}`,
  ];
}

function stageTable(runs: readonly StageRun[], { ms, cpuMs }: { ms: number; cpuMs: number }): string[] {
  const count = ({ passed, failed }: Outcome) => passed + failed;
  const tests = runs.reduce((sum, { outcome }) => sum + count(outcome), 0);
  const row = (name: string, cases: string | number, minutes: string) =>
    `${name.padEnd(12)}${String(cases).padStart(6)}${minutes.padStart(9)}`;
  return [
    "",
    row("stage", "tests", "min:s"),
    ...runs.map(({ name, outcome, ms }) => row(name, count(outcome), minutesOf(ms))),
    row("all", tests, minutesOf(ms)),
    row("CPU time", "", minutesOf(cpuMs)),
  ];
}

function slowestFiles(files: readonly FileRun[], most: number): string[] {
  if (files.length < 2 || most === 0) return [];
  const slowest = [...files].sort((a, b) => b.ms - a.ms).slice(0, most);
  return [
    "",
    "slowest files, in seconds (and seconds of CPU, child processes included)",
    ...slowest.map(({ file, ms, cpuMs }) => {
      const seconds = `${(ms / 1000).toFixed(1).padStart(7)} (${(cpuMs / 1000).toFixed(1)})`;
      return `${seconds.padEnd(16)} ${file}`;
    }),
  ];
}

function failuresOf({ name, outcome }: StageRun, deep: boolean): string[] {
  const known = outcome.failures ?? [];
  const unknown = [{ title: "", message: outcome.note ?? "see above" }];
  const failures: readonly Failure[] = known.length > 0 ? known : outcome.failed > 0 ? unknown : [];
  return [
    ...listed(outcome.flaky ?? [], `⚠ ${name}`, () => "Passed when its file was run again. Fix it."),
    ...listed(failures, `✘ ${name}`, (file = `--only ${name}`) => {
      return `Run it again: npm test -- ${deep ? "--deep " : ""}${file}`;
    }),
  ];
}

/** Failures by file, under a heading, with a line at the end of each file. */
function listed(
  failures: readonly Failure[],
  heading: string,
  lastLine: (file: string | undefined) => string,
): string[] {
  return [...Map.groupBy(failures, ({ file }) => file)].flatMap(([file, group]) => [
    "",
    `${heading}${file === undefined ? "" : `: ${file}`}`,
    ...group.flatMap(({ title, message }) => [
      ...(title === "" ? [] : [`    ${title}`]),
      ...shortened(message).map((line) => `      ${line}`),
    ]),
    `    ${lastLine(file)}`,
  ]);
}

function shortened(message: string): string[] {
  const lines = message.trimEnd().split("\n");
  if (lines.length <= MESSAGE_LINES) return lines;
  return [...lines.slice(0, MESSAGE_LINES), `… ${lines.length - MESSAGE_LINES} more lines above`];
}

/** Minutes and seconds, such as 3:07. */
function minutesOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
