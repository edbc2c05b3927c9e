// The npm packages that programs load when they start. A program loads hundreds of their modules, which takes longer than
// its own code; one file for each package takes a quarter of that.

/** Module names as programs import them. One that is not installed is left out. */
export const PACKAGES = [
  "viem",
  "viem/accounts",
  "viem/actions",
  "viem/chains",
  "viem/op-stack",
  "viem/siwe",
  "viem/utils",
  "bullmq",
  "ioredis",
  "pg",
  "prom-client",
  "pino",
  "ws",
  "zod",
  "zod-openapi",
  "express",
  "express-rate-limit",
  "helmet",
  "rate-limit-redis",
  "@openzeppelin/merkle-tree",
  "commander",
  "dockerode",
  "get-port",
  "tar-stream",
  "chai",
  "fast-check",
];
