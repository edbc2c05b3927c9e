import type { Failure } from "./report.ts";
import type { Outcome } from "./stage.ts";
import type { StageRun } from "./summary.ts";

/** Files that are run again at most. Where more failed, the cause is not a busy machine. */
const MOST_FILES = 8;

/**
 * Runs the files of failed tests once more, with nothing beside them. A failure that does not occur again becomes flaky: the
 * deadlines of tests suit a machine with two free cores, which a whole run does not have. A flaky test is a defect of the
 * test or of what it tests, so the summary lists it with its reason.
 *
 * @param runs The stages that ran.
 * @param run Runs files of a stage.
 * @returns the runs with the outcome of both; those given when nothing is run again
 */
export async function repeatFailures(
  runs: readonly StageRun[],
  run: (stage: string, files: string[]) => Promise<Outcome>,
): Promise<StageRun[]> {
  const again = runs.map(({ outcome }) => filesToRepeat(outcome));
  const count = again.flat().length;
  if (count === 0 || count > MOST_FILES) return [...runs];
  const repeated: StageRun[] = [];
  for (const [index, one] of runs.entries()) {
    const files = again[index] ?? [];
    if (files.length === 0) {
      repeated.push(one);
      continue;
    }
    const began = performance.now();
    const outcome = joined(one.outcome, await run(one.name, files));
    repeated.push({ ...one, outcome, ms: one.ms + performance.now() - began });
  }
  return repeated;
}

/** The files of a stage's failures; none when a failure belongs to no file. */
function filesToRepeat({ failed, failures = [] }: Outcome): string[] {
  const files = failures.flatMap(({ file }) => file ?? []);
  return failed === failures.length && files.length === failures.length ? [...new Set(files)] : [];
}

/** The first outcome, with the failures of files that passed the second time as flaky. */
function joined(first: Outcome, second: Outcome): Outcome {
  const known = second.failures ?? [];
  if (second.failed !== known.length || known.some(({ file }) => file === undefined)) return first;
  const failing = new Set(known.map(({ file }) => file));
  const isFlaky = ({ file }: Failure) => !failing.has(file);
  const { true: flaky = [], false: failures = [] } = Object.groupBy(first.failures ?? [], (failure) =>
    isFlaky(failure) ? "true" : "false",
  );
  return { ...first, passed: first.passed + flaky.length, failed: failures.length, failures, flaky };
}
