import type { Strategy } from "../fleet.ts";

/** Nodes that have the image already come first, then the lowest price. */
export const locality: Strategy = (node, { image }) =>
  (node.images.has(image) ? 0n : 1n << 64n) + node.pricePerSecond;
