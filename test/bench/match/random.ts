/** Random numbers that a seed repeats (mulberry32). */
export type Random = {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number from 0 to below `below`. */
  under(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** An item as often as its weight says. */
  weighted<Item extends { weight: number }>(items: readonly Item[]): Item;
  chance(share: number): boolean;
};

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const at = <Item>(items: readonly Item[], index: number) => {
    const item = items[index];
    if (item === undefined) throw new RangeError("There is nothing to pick from.");
    return item;
  };
  return {
    next,
    under: (below) => Math.floor(next() * below),
    pick: (items) => at(items, Math.floor(next() * items.length)),
    weighted(items) {
      let left = next() * items.reduce((sum, { weight }) => sum + weight, 0);
      const found = items.findIndex(({ weight }) => {
        left -= weight;
        return left < 0;
      });
      return at(items, found < 0 ? items.length - 1 : found);
    },
    chance: (share) => next() < share,
  };
}
