import { capacityDimensions, type Strategy } from "../fleet.ts";

/** The node with the least left over, summed in millionths of each resource: large nodes stay whole. */
export const bestFit: Strategy = (node, { wanted }) => {
  const left = capacityDimensions.map((dimension) => {
    const total = node.total[dimension];
    return total === 0 ? 0 : Math.round(((node.free[dimension] - wanted[dimension]) * 1_000_000) / total);
  });
  return BigInt(left.reduce((sum, share) => sum + share, 0));
};
