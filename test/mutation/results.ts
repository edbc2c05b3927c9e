import type { TestCase } from "./tests.ts";

/** Which tests meet which faults, and which fail without one. */
export type TestRecord = { deployment: number[]; tests: TestCase[]; failed: string[] };

export type Result = { id: number; killedBy?: string; uncovered?: boolean };

/** What a run leaves behind, and of which contracts and tests it says it. */
export type Results = { contracts: string; tests: string; results: Result[] };

/** What is given as the finder of a fault under which the tests' process ended. */
export const processEnded = "the tests' process ended";

/** Whether what an earlier run left can be gone on with, and with how much of it. */
export type Resumption =
  | { kind: "begin" }
  | { kind: "record again"; results: Result[] }
  | { kind: "go on"; results: Result[] };

/** With other tests a survivor may be found: it has no result until it is tried again. With other contracts nothing holds. */
export function resumptionOf(
  previous: Results | undefined,
  present: Pick<Results, "contracts" | "tests">,
): Resumption {
  if (previous === undefined || previous.contracts !== present.contracts) return { kind: "begin" };
  if (previous.tests === present.tests) return { kind: "go on", results: previous.results };
  return { kind: "record again", results: previous.results.filter(({ killedBy }) => killedBy !== undefined) };
}

/** A find holds as long as the test that made it is there and passes without a fault. */
export function stillFound(results: readonly Result[], { tests }: TestRecord): Result[] {
  const titles = new Set([processEnded, ...tests.map(({ title }) => title)]);
  return results.filter(({ killedBy }) => killedBy !== undefined && titles.has(killedBy));
}
