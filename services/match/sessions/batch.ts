/**
 * Runs concurrent calls as one batch: a thousand nodes that connect together need a few statements instead of a thousand.
 *
 * @param ms time in which calls are collected
 * @param run handles a batch and returns one result per item, in order. If it throws, all calls of the batch fail.
 */
export function batch<Item, Result>(
  ms: number,
  run: (items: Item[]) => Promise<Result[]>,
): (item: Item) => Promise<Result> {
  let items: Item[] = [];
  let round: Promise<Result[]> | undefined;
  return async (item) => {
    const position = items.push(item) - 1;
    round ??= new Promise<void>((resolve) => setTimeout(resolve, ms)).then(() => {
      const taken = items;
      items = [];
      round = undefined;
      return run(taken);
    });
    const results = await round;
    return results[position] as Result;
  };
}
