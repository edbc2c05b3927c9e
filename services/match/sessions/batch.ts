/**
 * Gathers what comes within `ms` and does it in one go: a thousand nodes that come at once are a few statements, not a
 * thousand.
 *
 * @param act Gets the gathered items; its result for each, in their order. A fault is a fault of all of them.
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
