import { startChain } from "../embedded/chain.ts";
import { startDocker } from "../embedded/docker.ts";
import { startPostgres } from "../embedded/postgres.ts";
import { startRedis } from "../embedded/redis.ts";
import type { StartEnv } from "./env.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";

export type Parts = {
  chain: { rpcUrls: string[]; embedded: boolean };
  postgres: { adminUrl: string; embedded: boolean };
  redis: { url: string };
  docker: { socketPath: string };
};

type Stoppable = (name: string, stop: () => Promise<void>) => void;

/** Brings up each outside part that was not configured, all at once; what is started is registered to be stopped. */
export async function startParts(
  options: StartOptions & { rootDir: string },
  env: StartEnv,
  reporter: Reporter,
  signal: AbortSignal,
  onStop: Stoppable,
): Promise<Parts> {
  const { rootDir, stateDir } = options;
  const say = reporter.say;
  const started = await Promise.allSettled([
    reporter.step(
      "chain",
      "OP-stack chain",
      () => chainPart(),
      (part) => part.rpcUrls.join(", "),
    ),
    reporter.step(
      "postgres",
      "Postgres",
      () => postgresPart(),
      (part) => new URL(part.adminUrl).host,
    ),
    reporter.step(
      "redis",
      "Redis",
      () => redisPart(),
      (part) => new URL(part.url).host,
    ),
    reporter.step(
      "docker",
      "Docker engine",
      () => dockerPart(),
      (part) => `${part.version} at ${part.socketPath}`,
    ),
  ] as const);
  const fault = started.find((result) => result.status === "rejected");
  if (fault !== undefined) throw fault.reason;
  const [chain, postgres, redis, docker] = started.map((result) =>
    result.status === "fulfilled" ? result.value : undefined,
  ) as [Parts["chain"], Parts["postgres"], Parts["redis"], Parts["docker"]];
  return { chain, postgres, redis, docker };

  async function chainPart(): Promise<Parts["chain"]> {
    if (env.CHAIN_RPC_URLS !== undefined) return { rpcUrls: env.CHAIN_RPC_URLS, embedded: false };
    const chain = await startChain({ rootDir, stateDir, port: options.chainPort, signal });
    onStop("chain", chain.stop);
    return { rpcUrls: [chain.url], embedded: true };
  }

  async function postgresPart(): Promise<Parts["postgres"]> {
    if (env.DATABASE_ADMIN_URL !== undefined) return { adminUrl: env.DATABASE_ADMIN_URL, embedded: false };
    const postgres = await startPostgres({ stateDir, port: options.postgresPort, signal });
    onStop("postgres", postgres.stop);
    return { adminUrl: postgres.url, embedded: true };
  }

  async function redisPart(): Promise<Parts["redis"]> {
    if (env.REDIS_URL !== undefined) return { url: env.REDIS_URL };
    const redis = await startRedis({ stateDir, say, port: options.redisPort, signal });
    onStop("redis", redis.stop);
    return { url: redis.url };
  }

  async function dockerPart(): Promise<Parts["docker"] & { version: string }> {
    const docker = await startDocker({ stateDir, say, dockerHost: env.DOCKER_HOST, signal });
    onStop("docker", docker.stop);
    return { socketPath: docker.socketPath, version: docker.version };
  }
}
