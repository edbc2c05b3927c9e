import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { Keys } from "./keys.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";
import type { Supervision } from "./supervise/supervisor.ts";

/** The chain that the market is on. */
export type MarketChain = { rpcUrls: string[]; chainId: number; embedded: boolean };

/** What every step of the journey has at hand. */
export type Market = {
  rootDir: string;
  stateDir: string;
  logsDir: string;
  options: StartOptions;
  reporter: Reporter;
  signal: AbortSignal;
  keys: Keys;
  chain: MarketChain;
  /** Read-only eyes on what the services wrote. */
  database: Database;
  redisUrl: string;
  dockerSocket: string;
  deployment: Deployment;
  deploymentFile: string;
  logLevel: string;
  /** Registers what to stop at the end; stopped in reverse order. */
  onStop(name: string, stop: () => Promise<void>): void;
  /** How parts that end by themselves are started again. */
  supervision: Supervision;
};

/** Images of the market, as built on this machine and served by the registry. */
export type MarketImages = {
  chat: { reference: string; digest: string; sizeBytes: number; chunkRoot: string };
  probe: { reference: string; digest: string; sizeBytes: number; chunkRoot: string };
};
