import { randomBytes } from "node:crypto";
import { FatalError } from "@ngpu/runtime/errors";
import { marketPrograms } from "../bootstrap/system.mjs";
import { EMBEDDED_CHAIN_ID } from "../embedded/chain.ts";
import { startDocker } from "../embedded/docker.ts";
import { installMissing } from "../embedded/install.ts";
import { keepChain } from "../embedded/keptChain.ts";
import { startPostgres } from "../embedded/postgres.ts";
import { startRedis } from "../embedded/redis.ts";
import { checkChain, checkPostgres, checkRedis } from "./configured.ts";
import type { StartEnv } from "./env.ts";
import type { MarketChain } from "./market.ts";
import type { StartOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";
import type { OnStop } from "./stack.ts";
import { type Running, type Supervision, supervise } from "./supervise/supervisor.ts";

export type Parts = {
  chain: MarketChain;
  postgres: { adminUrl: string; embedded: boolean };
  redis: { url: string };
  docker: { socketPath: string };
};

/** Parts do not need each other, so they stop together. */
const group = "parts";

type Context = {
  options: StartOptions & { rootDir: string };
  env: StartEnv;
  print: Reporter["print"];
  /** Settles when the system's programs are installed, as far as they could be. */
  installed: Promise<void>;
  signal: AbortSignal;
  supervision: Supervision;
  onStop: OnStop;
};

/**
 * Starts each part that is not configured, concurrently. Every started part is registered with `onStop`.
 *
 * @returns Each part as soon as it is ready.
 */
export function startParts(context: Omit<Context, "print" | "installed"> & { reporter: Reporter }): {
  [Name in keyof Parts]: Promise<Parts[Name]>;
} {
  const { reporter } = context;
  const { print } = reporter;
  const programs = marketPrograms(context.env);
  const installed = installMissing({ programs, print, signal: context.signal });
  const given = { ...context, print, installed };
  return {
    chain: reporter.step(
      "chain",
      "OP-stack chain",
      () => chainPart(given),
      (part) => part.rpcUrls.map((url) => new URL(url).host).join(", "),
    ),
    postgres: reporter.step(
      "postgres",
      "Postgres",
      () => postgresPart(given),
      (part) => new URL(part.adminUrl).host,
    ),
    redis: reporter.step(
      "redis",
      "Redis",
      () => redisPart(given),
      (part) => new URL(part.url).host,
    ),
    docker: reporter.step(
      "docker",
      "Docker engine",
      () => dockerPart(given),
      (part) => `${part.version} at ${part.socketPath}`,
    ),
  };
}

async function chainPart({ options, env, signal, supervision, onStop }: Context): Promise<MarketChain> {
  const configured = env.CHAIN_RPC_URLS;
  if (configured !== undefined) {
    return { rpcUrls: configured, chainId: await checkChain(configured, signal), embedded: false };
  }
  const { rootDir, stateDir, chainPort } = options;
  const kept = await keepChain({ rootDir, stateDir, port: chainPort });
  onStop("chain's address", kept.stop, group);
  const start = async (begun: AbortSignal) => (await kept.start(begun)).process;
  onStop("chain", await supervise(supervision, "chain", start), group);
  return { rpcUrls: [kept.url], chainId: EMBEDDED_CHAIN_ID, embedded: true };
}

async function postgresPart({ options, env, supervision, onStop }: Context): Promise<Parts["postgres"]> {
  const configured = env.DATABASE_ADMIN_URL;
  if (configured !== undefined) {
    await checkPostgres(configured);
    return { adminUrl: configured, embedded: false };
  }
  const { stateDir } = options;
  let port = options.postgresPort;
  let url = "";
  const start = async (signal: AbortSignal) => {
    const postgres = await startPostgres({ stateDir, port, signal });
    ({ port, url } = postgres);
    return postgres.process;
  };
  onStop("postgres", await supervise(supervision, "postgres", start), group);
  return { adminUrl: url, embedded: true };
}

async function redisPart({
  options,
  env,
  print,
  installed,
  supervision,
  onStop,
}: Context): Promise<Parts["redis"]> {
  if (env.REDIS_URL !== undefined) {
    await checkRedis(env.REDIS_URL);
    return { url: env.REDIS_URL };
  }
  const { stateDir } = options;
  await installed;
  const password = randomBytes(24).toString("hex");
  let port = options.redisPort;
  let url = "";
  const start = async (signal: AbortSignal) => {
    const redis = await startRedis({ stateDir, print, port, password, signal });
    ({ port, url } = redis);
    return redis.process;
  };
  onStop("redis", await supervise(supervision, "redis", start), group);
  return { url };
}

async function dockerPart({ options, env, print, installed, signal, supervision, onStop }: Context) {
  const { stateDir } = options;
  const dockerHost = env.DOCKER_HOST;
  await installed;
  const first = await startDocker({ stateDir, print, dockerHost, signal });
  const engineInfo = { socketPath: first.socketPath, version: first.version };
  if (first.process === undefined) {
    // An engine that was already running, or that systemd manages.
    onStop("docker", first.stop, group);
    return engineInfo;
  }
  let engine: typeof first | undefined = first;
  const start = async (begun: AbortSignal): Promise<Running> => {
    const { process, stop } = engine ?? (await startDocker({ stateDir, print, dockerHost, signal: begun }));
    engine = undefined;
    if (process !== undefined) return { ...process, stop };
    throw new FatalError("Another Docker engine was started on this machine.", {
      code: "docker_engine_conflict",
      hint: "Stop that engine, or restart this market to use it.",
    });
  };
  onStop("docker", await supervise(supervision, "docker", start), group);
  return engineInfo;
}
