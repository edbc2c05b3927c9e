/** Writes items in batches: those that arrive while one batch is written are the next. */
export type Batcher<Item, Result> = {
  /** Resolves, with what the write returned for the item, when it is written. */
  add(item: Item): Promise<Result>;
  /** Resolves when all items are written, or have failed. */
  idle(): Promise<void>;
};

type Waiting<Item, Result> = { item: Item; done: PromiseWithResolvers<Result> };

/**
 * @param options.write Returns one result for each item, in order. When it fails for several items, each is written alone, so that
 *   one that cannot be written does not hold up others.
 */
export function createBatcher<Item, Result>(options: {
  write: (items: Item[]) => Promise<Result[]>;
  /** Items of one batch at most. */
  most?: number;
  /** How much of a batch an item takes up, beside its place; default: nothing. */
  sizeOf?: (item: Item) => number;
  /** Size of one batch at most; a larger item is alone. */
  mostSize?: number;
  /** Milliseconds for which items are collected before a batch that follows none. */
  pause?: number;
}): Batcher<Item, Result> {
  const { write, most = 200, pause = 0, sizeOf = () => 0, mostSize = 4 << 20 } = options;
  const waiting: Waiting<Item, Result>[] = [];
  let writing: Promise<void> | undefined;
  const settle = async (batch: Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await write(batch.map(({ item }) => item));
      for (const [index, { done }] of batch.entries()) done.resolve(results[index] as Result);
    } catch (error) {
      const [only] = batch;
      if (batch.length === 1) only?.done.reject(error);
      else for (const one of batch) await settle([one]);
    }
  };
  const nextBatch = (): Waiting<Item, Result>[] => {
    let size = 0;
    const end = waiting.findIndex(({ item }, index) => {
      size += sizeOf(item);
      return index === most || (index > 0 && size > mostSize);
    });
    return waiting.splice(0, end === -1 ? waiting.length : end);
  };
  const writeAll = async () => {
    // What arrives in the same turn of the event loop is one batch.
    await new Promise<void>((resolve) => {
      if (pause === 0) setImmediate(resolve);
      else setTimeout(resolve, pause);
    });
    while (waiting.length > 0) await settle(nextBatch());
    writing = undefined;
  };
  return {
    add: (item) => {
      const done = Promise.withResolvers<Result>();
      waiting.push({ item, done });
      writing ??= writeAll();
      return done.promise;
    },
    idle: async () => {
      while (writing !== undefined) await writing;
    },
  };
}
