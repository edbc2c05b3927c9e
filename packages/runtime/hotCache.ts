/** Times of a hot cache, in milliseconds. */
export const hotTimes = {
  /** Over which uses are counted. */
  window: 1_000,
  /** How old a value may be. An older one is not used. */
  maxAge: 1_000,
  /** From which age a value is read again while it is used. */
  refreshAge: 400,
};

/** Uses within this window and the one before from which a value is kept. */
const hotUses = 20;

type Entry<Value> = {
  windowFrom: number;
  uses: number;
  /** Uses within the window before. */
  before: number;
  value: Value | undefined;
  loadedAt: number;
  isLoading: boolean;
};

/**
 * Keeps the values of keys that are used often. A value that is used seldom is read from its source each time, so it is never older
 * than its use. One that is used often is at most a second old, and is dropped as soon as its source notifies a change.
 */
export type HotCache<Value> = {
  /** The kept value, without waiting; undefined: there is none that may be used. It counts as a use. */
  find(key: string): Value | undefined;
  /** The kept value, or the source's. It counts as a use. Undefined values are not kept. */
  get(key: string): Promise<Value | undefined>;
  /** Drops a value; without a key, all. A reading in progress is not kept either. */
  forget(key?: string): void;
};

export function createHotCache<Value>(options: {
  load: (key: string) => Promise<Value | undefined>;
  /** Keys that are counted at most. */
  size?: number;
  now?: () => number;
}): HotCache<Value> {
  const { load, size = 10_000, now = () => performance.now() } = options;
  const entries = new Map<string, Entry<Value>>();
  /** Counts changes, so that a value that was read before one is not kept after it. */
  let changes = 0;
  const read = async (key: string, entry: Entry<Value>): Promise<Value | undefined> => {
    const began = { at: now(), changes };
    const value = await load(key);
    if (began.changes !== changes || entries.get(key) !== entry) return value;
    entry.value = value;
    entry.loadedAt = began.at;
    return value;
  };
  const refresh = (key: string, entry: Entry<Value>) => {
    if (entry.isLoading) return;
    entry.isLoading = true;
    // Without a newer value the kept one expires.
    void read(key, entry)
      .catch(() => undefined)
      .finally(() => {
        entry.isLoading = false;
      });
  };
  const use = (key: string): Entry<Value> => {
    const entry = entries.get(key) ?? addEntry(entries, key, size);
    countUse(entry, now());
    return entry;
  };
  const kept = (key: string, entry: Entry<Value>): Value | undefined => {
    const age = now() - entry.loadedAt;
    if (entry.value === undefined || entry.uses + entry.before < hotUses || age > hotTimes.maxAge)
      return undefined;
    if (age > hotTimes.refreshAge) refresh(key, entry);
    return entry.value;
  };
  return {
    find: (key) => kept(key, use(key)),
    get: async (key) => {
      const entry = use(key);
      return kept(key, entry) ?? (await read(key, entry));
    },
    forget: (key) => {
      changes += 1;
      for (const entry of key === undefined ? entries.values() : [entries.get(key)]) {
        if (entry !== undefined) entry.value = undefined;
      }
    },
  };
}

function countUse(entry: Entry<unknown>, at: number): void {
  const since = at - entry.windowFrom;
  if (since > hotTimes.window) {
    entry.before = since > 2 * hotTimes.window ? 0 : entry.uses;
    entry.uses = 0;
    entry.windowFrom = at;
  }
  entry.uses += 1;
}

function addEntry<Value>(entries: Map<string, Entry<Value>>, key: string, size: number): Entry<Value> {
  if (entries.size >= size) {
    // The oldest key goes. One that is used often comes back.
    const [oldest = ""] = entries.keys();
    entries.delete(oldest);
  }
  const never = Number.NEGATIVE_INFINITY;
  const entry = {
    windowFrom: never,
    loadedAt: never,
    uses: 0,
    before: 0,
    value: undefined,
    isLoading: false,
  };
  entries.set(key, entry);
  return entry;
}
