import type { Strategy } from "../fleet.ts";

/** The node that missed the fewest heartbeat slots, in thousandths of them. */
export const mostReliable: Strategy = { score: (node) => 1_000 - node.uptimePermille };
