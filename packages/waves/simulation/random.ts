import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Draws that follow from a seed alone. */
export type Random = {
  /** From 0 to below 1. */
  next(): number;
  chance(share: number): boolean;
  between(least: number, most: number): number;
  /** An integer from 0 to `below` - 1. */
  under(below: number): number;
  exponential(mean: number): number;
  /** A delay with this median: `spread` is the standard deviation of its logarithm. */
  logNormal(median: number, spread: number): number;
  pick<Item>(items: readonly Item[]): Item;
};

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const next = () => uniformFloat64(generator);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const under = (below: number) => Math.floor(next() * below);
  return {
    next,
    under,
    chance: (share) => next() < share,
    between: (least, most) => least + (most - least) * next(),
    exponential: (mean) => -mean * Math.log(1 - next()),
    logNormal: (median, spread) => median * Math.exp(spread * normal()),
    pick: (items) => {
      const item = items[under(items.length)];
      if (item === undefined) throw new RangeError("The list of items is empty.");
      return item;
    },
  };
}
