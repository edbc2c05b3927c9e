/** The least that Docker Engine limits a container to. It reads 0 as no limit, and refuses what is between. */
export const leastResources = { memoryMib: 6, cpuMilli: 10 };
