import type { Strategy } from "../fleet.ts";

/** The lowest price a second. */
export const cheapest: Strategy = (node) => node.pricePerSecond;
