import type { Strategy } from "../fleet.ts";

/** The node with the fewest free GPUs, then the least free CPU (1/1000 cores). Keeps large nodes free for large replicas. */
export const bestFit: Strategy = { score: ({ free }) => free.gpus * 2 ** 32 + free.cpuMilli };
