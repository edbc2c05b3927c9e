import { marketPrograms } from "../bootstrap/system.mjs";
import { EMBEDDED_CHAIN_ID, startChain } from "../embedded/chain.ts";
import { startDocker } from "../embedded/docker.ts";
import { installMissing } from "../embedded/install.ts";
import { startPostgres } from "../embedded/postgres.ts";
import { startRedis } from "../embedded/redis.ts";
import { checkChain, checkPostgres, checkRedis } from "./configured.ts";
import type { StartEnv } from "./env.ts";
import type { MarketChain } from "./market.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";
import { allOrNothing } from "./together.ts";

export type Parts = {
  chain: MarketChain;
  postgres: { adminUrl: string; embedded: boolean };
  redis: { url: string };
  docker: { socketPath: string };
};

type Context = {
  options: StartOptions & { rootDir: string };
  env: StartEnv;
  say: Reporter["say"];
  /** Settles when the system's programs are there, as far as they could be installed. */
  installed: Promise<void>;
  signal: AbortSignal;
  onStop: (name: string, stop: () => Promise<void>) => void;
};

/** Brings up each outside part that was not configured, all at once; what is started is registered to be stopped. */
export async function startParts(
  context: Omit<Context, "say" | "installed"> & { reporter: Reporter },
): Promise<Parts> {
  const { reporter } = context;
  const { say } = reporter;
  const programs = marketPrograms(context.env);
  const installed = installMissing({ programs, say, signal: context.signal });
  const given = { ...context, say, installed };
  const [chain, postgres, redis, docker] = await allOrNothing([
    reporter.step(
      "chain",
      "OP-stack chain",
      () => chainPart(given),
      (part) => part.rpcUrls.map((url) => new URL(url).host).join(", "),
    ),
    reporter.step(
      "postgres",
      "Postgres",
      () => postgresPart(given),
      (part) => new URL(part.adminUrl).host,
    ),
    reporter.step(
      "redis",
      "Redis",
      () => redisPart(given),
      (part) => new URL(part.url).host,
    ),
    reporter.step(
      "docker",
      "Docker engine",
      () => dockerPart(given),
      (part) => `${part.version} at ${part.socketPath}`,
    ),
  ]);
  return { chain, postgres, redis, docker };
}

async function chainPart({ options, env, signal, onStop }: Context): Promise<MarketChain> {
  const configured = env.CHAIN_RPC_URLS;
  if (configured !== undefined) {
    return { rpcUrls: configured, chainId: await checkChain(configured, signal), embedded: false };
  }
  const { rootDir, stateDir, chainPort } = options;
  const chain = await startChain({ rootDir, stateDir, port: chainPort, signal });
  onStop("chain", chain.stop);
  return { rpcUrls: [chain.url], chainId: EMBEDDED_CHAIN_ID, embedded: true };
}

async function postgresPart({ options, env, signal, onStop }: Context): Promise<Parts["postgres"]> {
  const configured = env.DATABASE_ADMIN_URL;
  if (configured !== undefined) {
    await checkPostgres(configured);
    return { adminUrl: configured, embedded: false };
  }
  const postgres = await startPostgres({ stateDir: options.stateDir, port: options.postgresPort, signal });
  onStop("postgres", postgres.stop);
  return { adminUrl: postgres.url, embedded: true };
}

async function redisPart({ options, env, say, installed, signal, onStop }: Context): Promise<Parts["redis"]> {
  if (env.REDIS_URL !== undefined) {
    await checkRedis(env.REDIS_URL);
    return { url: env.REDIS_URL };
  }
  await installed;
  const redis = await startRedis({ stateDir: options.stateDir, say, port: options.redisPort, signal });
  onStop("redis", redis.stop);
  return { url: redis.url };
}

async function dockerPart({ options, env, say, installed, signal, onStop }: Context) {
  const dockerHost = env.DOCKER_HOST;
  await installed;
  const docker = await startDocker({ stateDir: options.stateDir, say, dockerHost, signal });
  onStop("docker", docker.stop);
  return { socketPath: docker.socketPath, version: docker.version };
}
