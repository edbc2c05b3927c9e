/** Set by `npm test -- --deep`. */
const DEEP = process.env.NGPU_TEST_DEEP === "1";

/** How many histories a property tries: `count` by default, ten times as many in the deep form. */
export function runs(count: number): number {
  return DEEP ? 10 * count : count;
}
