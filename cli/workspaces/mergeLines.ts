/** The entries of several sources, the earliest next. Each source must be in order. */
export async function* inOrder<Entry>(
  sources: readonly AsyncGenerator<Entry>[],
  timeOf: (entry: Entry) => string,
): AsyncGenerator<Entry> {
  const heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
  for (;;) {
    let first: { head: (typeof heads)[number]; entry: Entry } | undefined;
    for (const head of heads) {
      if (head.next.done === true) continue;
      const entry = head.next.value;
      if (first === undefined || timeOf(entry) < timeOf(first.entry)) first = { head, entry };
    }
    if (first === undefined) return;
    yield first.entry;
    first.head.next = await first.head.source.next();
  }
}

/** The entries of several sources as they arrive. */
export async function* sideBySide<Entry>(sources: readonly AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  const waiting = new Map(sources.map((source) => [source, nextOf(source)]));
  while (waiting.size > 0) {
    const { source, next } = await Promise.race(waiting.values());
    if (next.done === true) {
      waiting.delete(source);
      continue;
    }
    waiting.set(source, nextOf(source));
    yield next.value;
  }
}

const nextOf = async <Entry>(source: AsyncGenerator<Entry>) => ({ source, next: await source.next() });
