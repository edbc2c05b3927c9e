import type { Prefixes } from "./prefix.ts";

/**
 * What the cache of each replica probably holds: the prefixes of the requests that it was sent last. An engine's cache drops what
 * was used least recently, and so does this memory.
 */
export type PrefixMemory<Key> = {
  /** How many blocks from the beginning a replica probably has. */
  matched(key: Key, prefixes: Prefixes): number;
  /** The replica has been sent a request. */
  add(key: Key, prefixes: Prefixes): void;
  /** Number of blocks that are remembered of a replica. */
  size(key: Key): number;
  /** Forgets all other replicas. */
  retainOnly(keys: ReadonlySet<Key>): void;
};

/** @param capacity Blocks that are remembered of a replica, at most. */
export function createPrefixMemory<Key>(capacity: number): PrefixMemory<Key> {
  /** In the order of their last use, the oldest first. */
  const blocks = new Map<Key, Set<number>>();
  return {
    size: (key) => blocks.get(key)?.size ?? 0,
    matched: (key, prefixes) => {
      const held = blocks.get(key);
      if (held === undefined) return 0;
      // A block is remembered only with all blocks before it, or they were dropped first: so the end can be searched by halves.
      let low = 0;
      let high = prefixes.length;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (held.has(prefixes[middle - 1] as number)) low = middle;
        else high = middle - 1;
      }
      return low;
    },
    add: (key, prefixes) => {
      const held = blocks.get(key) ?? new Set();
      blocks.set(key, held);
      // The last block is the oldest, so that the end of a text is dropped before its beginning.
      for (let index = Math.min(prefixes.length, capacity) - 1; index >= 0; index--) {
        const prefix = prefixes[index] as number;
        held.delete(prefix);
        held.add(prefix);
      }
      for (const oldest of held) {
        if (held.size <= capacity) break;
        held.delete(oldest);
      }
    },
    retainOnly: (keys) => {
      for (const key of blocks.keys()) if (!keys.has(key)) blocks.delete(key);
    },
  };
}
