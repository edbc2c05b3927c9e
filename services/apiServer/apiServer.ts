import { type ChainClient, createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { readDeployment } from "@ngpu/contracts-sdk/deployment";
import { createPool, type Database } from "@ngpu/db/pool";
import { requireSchema } from "@ngpu/db/schema";
import { createApp, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender } from "@ngpu/tx-sender/send";
import { privateKeyToAccount } from "viem/accounts";
import { createApiApp } from "./app.ts";
import { createCallLog } from "./calls.ts";
import { createWriter } from "./chainWriter.ts";
import { createChangeFeed } from "./changeFeed.ts";
import type { ApiDeps } from "./deps.ts";
import type { ApiEnv } from "./env.ts";
import { createFaucet } from "./faucet.ts";
import { createGateway } from "./gatewayClient.ts";
import { connectCounters, createLimits, defaultLimits, type Limits } from "./limits.ts";
import { createMatchClient } from "./matchClient.ts";
import { callHistogram } from "./metrics.ts";
import { sweepTasks } from "./store/tasks.ts";
import { holdRunnerLock } from "./taskLock.ts";
import { createTaskRunner } from "./taskRunner.ts";

/**
 * Starts the partner API.
 *
 * @returns The URL it listens on.
 */
export async function startApiServer(
  context: ServiceContext,
  env: ApiEnv,
  limits: Limits = defaultLimits,
): Promise<{ url: string }> {
  const { logger, signal } = context;
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  const db = createPool({ url: env.DATABASE_URL, name: "apiServer" });
  context.onStop("database", () => db.end());
  await requireSchema(db);
  const chain = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
  await requireChain(chain, deployment);
  const redis = await connectCounters(env.REDIS_URL, context);
  const account = privateKeyToAccount(env.SIGNER_KEY);
  const sender = await createSender({ pool: db, client: chain, account, deployment, logger, signal });
  const gateway = createGateway({ url: env.GATEWAY_URL, token: env.GATEWAY_TOKEN });
  context.onStop("gateway", () => gateway.close());
  const runner = await holdRunnerLock(env.DATABASE_URL, context);
  const tasks = createTaskRunner({ db, gateway, runner, logger });
  context.onStop("tasks", () => tasks.stop());

  const registry = createRegistry("apiServer");
  const calls = createCallLog({ db, logger, onEnd: callHistogram(registry) });
  context.onStop("calls", () => calls.flush());
  const sweep = startLoop({ name: "task_sweep", logger, signal, interval: 30_000 }, async () => {
    const swept = await sweepTasks(db, runner);
    if (swept > 0) logger.warn({ event: "tasks_swept", swept });
  });
  context.onStop("task sweep", () => sweep.done);

  const deps: ApiDeps = {
    db,
    writer: createWriter({ sender, db, signal }),
    delegate: account.address,
    chain,
    deployment,
    publicUrl: env.PUBLIC_URL,
    privateAddresses: env.PRIVATE_ADDRESSES,
    network: {
      rpcUrls: env.PUBLIC_RPC_URLS,
      matchUrls: env.MATCH_URLS,
      gatewayUrls: env.GATEWAY_URLS,
      probeImage: env.PROBE_IMAGE,
    },
    gateway,
    match: createMatchClient(env.MATCH_URLS),
    tasks,
    changes: createChangeFeed({ url: env.DATABASE_URL, logger, signal }),
    ...faucetOf(env, { client: chain, deployment }),
    logger,
  };
  const health = async () => ({ ok: await isReachable(db), details: { delegate: account.address } });
  const app = createApiApp(deps, {
    ...{ isHealthy: () => isReachable(db), calls, releases: env.CLIENT_RELEASES },
    limits: createLimits(redis, limits),
  });
  const internal = await listen(
    createApp({ health, registry }),
    { host: env.INTERNAL_HOST, port: env.INTERNAL_PORT },
    context,
  );
  const { url } = await listen(app, { host: env.HOST, port: env.PORT }, context);
  logger.info({ event: "api_listening", url, internalUrl: internal.url });
  return { url };
}

function faucetOf(env: ApiEnv, given: Pick<ApiDeps, "deployment"> & { client: ChainClient }) {
  const key = env.FAUCET_KEY;
  return key === undefined ? {} : { faucet: createFaucet({ ...given, key, rpcUrls: env.CHAIN_RPC_URLS }) };
}

async function isReachable(db: Database): Promise<boolean> {
  try {
    await db.query("select 1");
    return true;
  } catch {
    // The health check reports the state; the pool logs the cause.
    return false;
  }
}
