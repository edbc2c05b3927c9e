/** The parts of a workspace's page, as its URL names them. */
export const parts = [
  "replicas",
  "events",
  "logs",
  "terminal",
  "use",
  "chat",
  "configuration",
  "cost",
] as const;
export type Part = (typeof parts)[number];

export const isPart = (name: unknown): name is Part => parts.some((one) => one === name);
