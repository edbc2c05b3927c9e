import { createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool, openRedis } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { openQueue, queues, serveQueue } from "@ngpu/db/queue";
import { holdRunnerLock } from "@ngpu/db/runnerLock";
import { enqueueWorkspace, queueHealth } from "@ngpu/db/workspaceQueue";
import { createApp, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender } from "@ngpu/tx-sender/send";
import type { Queue } from "bullmq";
import { privateKeyToAccount } from "viem/accounts";
import type { Terms } from "./due.ts";
import { type WorkspaceSettings, workspaceDeadlines } from "./env.ts";
import { createHandler } from "./handle.ts";
import { createMetrics } from "./metrics.ts";
import { startSweep } from "./sweep.ts";

/**
 * Starts workspace: serves its queue and sweeps over all workspaces.
 *
 * @returns The URL it listens on.
 */
export async function startWorkspace(
  settings: WorkspaceSettings,
  context: ServiceContext,
): Promise<{ url: string }> {
  const { logger, signal } = context;
  const deployment = readDeployment(settings.DEPLOYMENT_FILE);
  const client = createChainClient({ rpcUrls: settings.CHAIN_RPC_URLS, chainId: deployment.chainId });
  const { DATABASE_URL: url, CONCURRENCY } = settings;
  const pool = await openPool(context, { url, name: "workspace", max: CONCURRENCY + 4 });
  const redis = await openRedis(context, settings.REDIS_URL);
  await requireChain(client, deployment);
  const runner = await holdRunnerLock({ url: settings.DATABASE_URL, name: "workspace claims" }, context);
  const account = privateKeyToAccount(settings.SIGNER_KEY);
  const sender = await createSender({ pool, client, account, deployment, logger, signal });
  const registry = createRegistry("workspace");
  const workspaceQueue = openQueue(queues.workspace, redis, context);
  const dispenseQueue = openQueue(queues.dispense, redis, context);
  const handle = createHandler({
    pool,
    sender,
    deployment,
    logger,
    runner,
    metrics: createMetrics(registry),
    deadlines: workspaceDeadlines(settings),
    enqueueDispense: (workspaceId) => enqueueWorkspace(dispenseQueue, workspaceId),
  });
  serveQueue(queues.workspace, redis, context, handle, settings.CONCURRENCY);
  sweepOnChanges(settings, context, { pool, runner, terms: deployment.parameters, queue: workspaceQueue });
  const health = queueHealth(pool, redis);
  return listen(createApp({ health, registry }), { host: settings.HOST, port: settings.PORT }, context);
}

/** Starts the sweep, which also runs after each change of the chain's tables. */
function sweepOnChanges(
  settings: WorkspaceSettings,
  context: ServiceContext,
  work: { pool: Database; runner: bigint; terms: Terms; queue: Queue },
): void {
  const { logger, signal } = context;
  const { pool, runner, terms, queue } = work;
  const sweep = startSweep({
    pool,
    terms,
    logger,
    signal,
    runner,
    interval: settings.SWEEP_SECONDS * 1000,
    enqueue: (workspaceId) => enqueueWorkspace(queue, workspaceId),
  });
  context.onStop("sweep", () => sweep.done);
  listenForChanges({
    url: settings.DATABASE_URL,
    channels: [chainChannel],
    logger,
    signal,
    onNotice: () => sweep.wake(),
  });
}
