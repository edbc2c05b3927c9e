/** Set by `npm test -- --deep`. */
const DEEP = process.env.NGPU_TEST_DEEP === "1";

/** The number of runs of a property: `count`, or `deep` in a deep run, by default ten times as many. */
export function runs(count: number, deep = 10 * count): number {
  return DEEP ? deep : count;
}
