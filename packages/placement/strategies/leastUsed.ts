import { capacityDimensions, type Strategy } from "../fleet.ts";

/** The node whose most used resource is the least used, in millionths. Spreads load over the fleet. */
export const leastUsed: Strategy = {
  score: ({ total, free }) => {
    let most = 0;
    for (const dimension of capacityDimensions) {
      const all = total[dimension];
      if (all === 0) continue;
      most = Math.max(most, Math.round(((all - free[dimension]) * 1_000_000) / all));
    }
    return most;
  },
};
