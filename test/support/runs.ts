/** Set by `npm test -- --deep`. */
const DEEP = process.env.NGPU_TEST_DEEP === "1";

/** The number of runs of a property: `count`, or ten times as many in a deep run. */
export function runs(count: number): number {
  return DEEP ? 10 * count : count;
}
