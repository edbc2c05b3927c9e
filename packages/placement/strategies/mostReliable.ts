import type { Strategy } from "../fleet.ts";

/** The node with the smallest share of missed heartbeat slots, permille. */
export const mostReliable: Strategy = { score: (node) => 1_000 - node.uptimePermille };
