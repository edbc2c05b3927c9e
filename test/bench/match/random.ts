/** A deterministic random number generator (mulberry32). */
export type Random = {
  /** From 0 to below 1. */
  next(): number;
  /** An integer from 0 to `below` - 1. */
  under(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** An item, with a probability in proportion to its weight. */
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
    if (item === undefined) throw new RangeError("The list of items is empty.");
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
