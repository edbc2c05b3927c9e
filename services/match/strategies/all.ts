import { bestFit } from "./bestFit.ts";
import { cheapest } from "./cheapest.ts";
import { leastUsed } from "./leastUsed.ts";
import { locality } from "./locality.ts";
import { mostReliable } from "./mostReliable.ts";

/** Every strategy by its name. */
export const strategies = { cheapest, mostReliable, leastUsed, bestFit, locality };

export type StrategyName = keyof typeof strategies;

/** What a workspace that names none gets. */
export const defaultStrategy: StrategyName = "cheapest";
