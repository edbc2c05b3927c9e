import type { Strategy } from "../fleet.ts";

/** The node with the fewest free GPUs, then the fewest free thousandths of cores: large nodes stay whole. */
export const bestFit: Strategy = { score: ({ free }) => free.gpus * 2 ** 32 + free.cpuMilli };
