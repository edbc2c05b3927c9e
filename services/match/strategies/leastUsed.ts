import { capacityDimensions, type Strategy } from "../fleet.ts";

/** The node whose scarcest resource is the least used, in millionths: load is spread over the fleet. */
export const leastUsed: Strategy = (node) => {
  const used = capacityDimensions.map((dimension) => {
    const total = node.total[dimension];
    return total === 0 ? 0 : Math.round(((total - node.free[dimension]) * 1_000_000) / total);
  });
  return BigInt(Math.max(...used));
};
