/**
 * The strategies that rank the nodes that fit, and what each prefers. packages/placement/strategies has one file for
 * each strategy.
 */
export const strategyTexts = {
  cheapest: "the lowest price",
  mostReliable: "the fewest missed heartbeats",
  leastUsed: "the node whose scarcest resource is used the least",
  bestFit: "the fewest free GPUs, then the fewest free cores, so that large nodes stay free",
  locality: "nodes that have the image, then the lowest price",
} as const;

export type StrategyName = keyof typeof strategyTexts;

/** The strategy of a workspace that selects none. */
export const defaultStrategy: StrategyName = "cheapest";
