import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { Keys } from "./keys.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";
import type { OnStop } from "./stack.ts";
import type { Supervision } from "./supervise/supervisor.ts";

/** The market's chain. */
export type MarketChain = { rpcUrls: string[]; chainId: number; embedded: boolean };

/** Context of every step of the journey. */
export type Market = {
  rootDir: string;
  stateDir: string;
  logsDir: string;
  options: StartOptions;
  reporter: Reporter;
  signal: AbortSignal;
  keys: Keys;
  /** The secrets of webhooks are derived from it. */
  webhookKey: string;
  /** The secrets of workspaces are encrypted by it. */
  secretKey: string;
  chain: MarketChain;
  /** The services' tables, for reading only. */
  database: Database;
  redisUrl: string;
  dockerSocket: string;
  deployment: Deployment;
  deploymentFile: string;
  logLevel: string;
  /** Registers a part to stop at the end; parts are stopped in reverse order, those of a group together. */
  onStop: OnStop;
  /** How parts that end by themselves are restarted. */
  supervision: Supervision;
};

/** Images of the market, as built on this machine and served by the registry. */
export type MarketImages = {
  chat: { reference: string; digest: string; sizeBytes: number; chunkRoot: string };
  probe: { reference: string; digest: string; sizeBytes: number; chunkRoot: string };
};
