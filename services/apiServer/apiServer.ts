import { join } from "node:path";
import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { chainChannel } from "@ngpu/db/listen";
import { openPool } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { holdRunnerLock } from "@ngpu/db/runnerLock";
import { createWebhookSecrets } from "@ngpu/protocol/webhooks";
import { createApp, createHttpServer, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender } from "@ngpu/tx-sender/send";
import type { Express } from "express";
import type { Registry } from "prom-client";
import { privateKeyToAccount } from "viem/accounts";
import { createApiApp } from "./app.ts";
import { startBatches } from "./batches/batchRunner.ts";
import { boundBodies, uploadDeadline } from "./boundBodies.ts";
import { createCallLog } from "./calls.ts";
import { createCancellations, watchCancellations } from "./cancellations.ts";
import { createWriter } from "./chainWriter.ts";
import { createChangeFeed } from "./changeFeed.ts";
import type { ApiDeps } from "./deps.ts";
import type { ApiEnv } from "./env.ts";
import { createFaucet } from "./faucet.ts";
import { type Contents, createContents, startFileSweep } from "./files/contents.ts";
import { createFileKeys } from "./files/fileKeys.ts";
import { createFileStore } from "./files/fileStore.ts";
import { createGateway } from "./gatewayClient.ts";
import { createHotFacts } from "./hotFacts.ts";
import { connectCounters, createLimits, defaultLimits, type Limits } from "./limits.ts";
import { refuseMalformedRequests, requireTarget } from "./malformedRequests.ts";
import { createMatchClient } from "./matchClient.ts";
import { callHistogram } from "./metrics.ts";
import { startAutoscaler } from "./scaling/autoscaler.ts";
import { startSecretDelivery } from "./secretDelivery.ts";
import { createSecretVault } from "./secretVault.ts";
import { sweepTasks } from "./store/tasks.ts";
import { createTaskRunner } from "./taskRunner.ts";
import { readTemplates } from "./templates.ts";
import { isForWebSocket, serveUpgrades } from "./upgrades.ts";
import { createWorkspaceOrders } from "./workspaceOrders.ts";

/** The console as `npm run build:console` writes it. */
const builtConsole = join(import.meta.dirname, "../../console/built");

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
  const db = await openPool(context, { url: env.DATABASE_URL, name: "apiServer" });
  const chain = createChainClient({ rpcUrls: env.CHAIN_RPC_URLS, chainId: deployment.chainId });
  await requireChain(chain, deployment);
  const redis = await connectCounters(env.REDIS_URL, context);
  const account = privateKeyToAccount(env.SIGNER_KEY);
  const sender = await createSender({ pool: db, client: chain, account, deployment, logger, signal });
  const registry = createRegistry("apiServer");
  // Their lines end when the runner of tasks has stopped, which is undone before.
  const running: { batches?: Promise<void> } = {};
  context.onStop("batches", async () => running.batches);
  const { gateway, tasks, runner, cancellations } = await startTasks(context, env, db);
  const calls = createCallLog({ db, logger, onEnd: callHistogram(registry) });
  context.onStop("calls", () => calls.flush());

  const writer = createWriter({ sender, db, signal });
  const vault = createSecretVault(env.SECRET_KEYS as [string, ...string[]]);
  const changes = createChangeFeed({
    url: env.DATABASE_URL,
    logger,
    signal,
    onCancel: cancellations.cancel,
  });
  deliverSecrets(context, { db, deployment, vault, changes });
  const orders = createWorkspaceOrders({ db, writer, runner, logger, signal });
  const scaler = startAutoscaler({ db, orders, deployment, delegate: account.address, logger, signal });
  context.onStop("autoscaler", () => scaler.done);
  const contents = startFiles(context, env, { db, runner });
  const deps: Omit<ApiDeps, "hot"> = {
    db,
    writer,
    orders,
    delegate: account.address,
    chain,
    deployment,
    publicUrl: env.PUBLIC_URL,
    webhookSecrets: createWebhookSecrets(env.WEBHOOK_KEYS as [string, ...string[]]),
    templates: readTemplates(env.TEMPLATES_FILE),
    privateAddresses: env.PRIVATE_ADDRESSES,
    network: networkOf(env),
    gateway,
    match: createMatchClient(env.MATCH_URLS),
    tasks,
    changes,
    vault,
    contents,
    ...faucetOf(env, { client: chain, deployment }),
    logger,
  };
  running.batches = startBatches({ ...deps, hot: createHotFacts(db, changes), runner, signal }).done;
  const app = createApiApp(deps, {
    isHealthy: () => isReachable(db),
    calls,
    proxies: env.TRUSTED_PROXIES,
    releases: env.CLIENT_RELEASES,
    console: builtConsole,
    limits: createLimits(redis, limits),
  });
  return serve(context, env, app, internalApp(deps, registry));
}

/** Answers requests of nodes for secrets, at once when one is stored or its lease is exported. */
function deliverSecrets(
  { logger, signal, onStop }: ServiceContext,
  deps: Pick<ApiDeps, "db" | "deployment" | "vault" | "changes">,
): void {
  const delivery = startSecretDelivery({ ...deps, logger, signal });
  onStop("secrets", () => delivery.done);
  deps.changes.onNotice((channel, payload) => {
    const concerns = payload === undefined || payload === "secret_request" || channel === chainChannel;
    if (concerns) delivery.wake();
  });
}

/** The files of accounts, and the sweep over those whose time is over. */
function startFiles(
  { logger, signal, onStop }: ServiceContext,
  env: ApiEnv,
  given: { db: Database; runner: bigint },
): Contents {
  const keys = createFileKeys(env.SECRET_KEYS as [string, ...string[]]);
  const files = createFileStore({ folder: env.FILES_FOLDER, keys, quota: env.FILES_QUOTA_BYTES });
  const contents = createContents({ ...given, files });
  const sweep = startFileSweep(contents, { logger, signal });
  onStop("file sweep", () => sweep.done);
  return contents;
}

/** Starts the runner of tasks and the sweep over tasks of stopped instances. */
async function startTasks(context: ServiceContext, env: ApiEnv, db: Database) {
  const { logger, signal } = context;
  const gateway = createGateway({ url: env.GATEWAY_URL, token: env.GATEWAY_TOKEN });
  context.onStop("gateway", () => gateway.close());
  const runner = await holdRunnerLock({ url: env.DATABASE_URL, name: "apiServer tasks" }, context);
  const cancellations = createCancellations(db);
  const tasks = createTaskRunner({ db, gateway, runner, cancellations, logger });
  watchCancellations(cancellations, { logger, signal });
  context.onStop("tasks", () => tasks.stop());
  const sweep = startLoop({ name: "task_sweep", logger, signal, interval: 30_000 }, async () => {
    const swept = await sweepTasks(db, runner);
    if (swept > 0) logger.warn({ event: "tasks_swept", swept });
  });
  context.onStop("task sweep", () => sweep.done);
  return { gateway, tasks, runner, cancellations };
}

function networkOf(env: ApiEnv): ApiDeps["network"] {
  return {
    rpcUrls: env.PUBLIC_RPC_URLS,
    matchUrls: env.MATCH_URLS,
    gatewayUrls: env.GATEWAY_URLS,
    probeImage: env.PROBE_IMAGE,
  };
}

/** Health and metrics, which the public must not see. */
function internalApp({ db, delegate }: Pick<ApiDeps, "db" | "delegate">, registry: Registry): Express {
  const health = async () => ({ ok: await isReachable(db), details: { delegate } });
  return createApp({ health, registry });
}

async function serve(context: ServiceContext, env: ApiEnv, app: Express, internalApp: Express) {
  const internal = await listen(internalApp, { host: env.INTERNAL_HOST, port: env.INTERNAL_PORT }, context);
  const handler = boundBodies(requireTarget(app));
  const options = {
    requireHostHeader: false,
    shouldUpgradeCallback: isForWebSocket,
    requestTimeout: uploadDeadline,
  };
  const server = refuseMalformedRequests(createHttpServer(handler, options), handler);
  serveUpgrades(server, handler);
  const { url } = await listen(server, { host: env.HOST, port: env.PORT }, context);
  context.logger.info({ event: "api_listening", url, internalUrl: internal.url });
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
