import type { StrategyName } from "@ngpu/protocol/placement/strategies";
import type { Strategy } from "../fleet.ts";
import { bestFit } from "./bestFit.ts";
import { cheapest } from "./cheapest.ts";
import { leastUsed } from "./leastUsed.ts";
import { locality } from "./locality.ts";
import { mostReliable } from "./mostReliable.ts";

/** The strategies of packages/protocol/placement/strategies.ts, by name. */
export const strategies = {
  cheapest,
  mostReliable,
  leastUsed,
  bestFit,
  locality,
} satisfies Record<StrategyName, Strategy>;
