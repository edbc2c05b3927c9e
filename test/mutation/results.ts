import type { TestCase } from "./tests.ts";

/** Which tests execute which faults, and which tests fail without one. */
export type TestRecord = { deployment: number[]; tests: TestCase[]; failed: string[] };

export type Result = { id: number; killedBy?: string; uncovered?: boolean };

/** Results of a run, with the fingerprints of its contracts and tests. */
export type Results = { contracts: string; tests: string; results: Result[] };

/** Recorded as the finder of a fault under which the tests' process ended. */
export const processEnded = "the tests' process ended";

/** Whether an earlier run can be resumed, and with which results. */
export type Resumption =
  | { kind: "start" }
  | { kind: "record again"; results: Result[] }
  | { kind: "resume"; results: Result[] };

/** Changed tests may find a survivor, so it loses its result. With other contracts all results are discarded. */
export function resumptionOf(
  previous: Results | undefined,
  present: Pick<Results, "contracts" | "tests">,
): Resumption {
  if (previous === undefined || previous.contracts !== present.contracts) return { kind: "start" };
  if (previous.tests === present.tests) return { kind: "resume", results: previous.results };
  return { kind: "record again", results: previous.results.filter(({ killedBy }) => killedBy !== undefined) };
}

/** A found fault is kept while its test exists and passes without a fault. */
export function stillFound(results: readonly Result[], { tests }: TestRecord): Result[] {
  const titles = new Set([processEnded, ...tests.map(({ title }) => title)]);
  return results.filter(({ killedBy }) => killedBy !== undefined && titles.has(killedBy));
}
