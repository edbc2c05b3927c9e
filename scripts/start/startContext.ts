import type { StartEnv } from "./env.ts";
import type { Market } from "./market.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";

/** What every step of a start needs. */
export type StartContext = {
  rootDir: string;
  options: StartOptions;
  env: StartEnv;
  reporter: Reporter;
  signal: AbortSignal;
  onStop: Market["onStop"];
  supervision: Market["supervision"];
};
