import type { Strategy } from "../fleet.ts";

/** The lowest price, rounded to 53 bits. */
export const cheapest: Strategy = { score: (node) => Number(node.pricePerSecond) };
