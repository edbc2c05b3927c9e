import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startChain } from "../embedded/chain.ts";
import { startDocker } from "../embedded/docker.ts";
import type { Print } from "../embedded/install.ts";
import { startPostgres } from "../embedded/postgres.ts";
import { startRedis } from "../embedded/redis.ts";

/** The parts that tests run on, each started once, when the first stage needs it. */
export type TestParts = {
  /** Postgres and Redis, as TEST_DATABASE_URL and TEST_REDIS_URL; the user's values are kept. */
  databases: () => Promise<Record<string, string>>;
  /** A new chain for a worker, as TEST_CHAIN_URL, and a directory for what its tests keep about it, as TEST_CHAIN_DIR. */
  chain: () => Promise<Record<string, string>>;
  /** The Docker engine, as DOCKER_HOST. */
  docker: () => Promise<Record<string, string>>;
  stop: () => Promise<void>;
};

/** Prepares the parts without starting any. */
export function createTestParts(options: {
  rootDir: string;
  stateDir: string;
  print: Print;
  signal: AbortSignal;
}): TestParts {
  const stops: (() => Promise<void>)[] = [];
  let databases: Promise<Record<string, string>> | undefined;
  let docker: Promise<Record<string, string>> | undefined;
  let chains = 0;
  const keep = <Part extends { stop: () => Promise<void> }>(part: Part): Part => {
    stops.push(part.stop);
    return part;
  };
  const startDatabases = async () => {
    const { TEST_DATABASE_URL, TEST_REDIS_URL } = process.env;
    return {
      TEST_DATABASE_URL: TEST_DATABASE_URL || keep(await startPostgres({ ...options, durable: false })).url,
      TEST_REDIS_URL: TEST_REDIS_URL || keep(await startRedis(options)).url,
    };
  };
  return {
    databases: () => {
      databases ??= startDatabases();
      return databases;
    },
    chain: async () => {
      chains += 1;
      const stateDir = join(options.stateDir, `chain-${chains}`);
      mkdirSync(stateDir, { recursive: true });
      const { url } = keep(await startChain({ ...options, stateDir }));
      return { TEST_CHAIN_URL: url, TEST_CHAIN_DIR: stateDir };
    },
    docker: () => {
      docker ??= startDocker(options).then((engine) => ({
        DOCKER_HOST: `unix://${keep(engine).socketPath}`,
      }));
      return docker;
    },
    stop: async () => {
      const errors: unknown[] = [];
      // All are stopped, even if one fails to.
      for (const stop of stops.splice(0).reverse())
        await stop().catch((error: unknown) => errors.push(error));
      if (errors.length > 0) throw errors[0];
    },
  };
}
