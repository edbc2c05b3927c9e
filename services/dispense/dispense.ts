import { createChainClient } from "@ngpu/chain-reader/client";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { appChannel, chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool, openRedis } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { enqueue, openQueue, queues, serveQueue } from "@ngpu/db/queue";
import { holdRunnerLock } from "@ngpu/db/runnerLock";
import { enqueueWorkspace, queueHealth } from "@ngpu/db/workspaceQueue";
import { createApp, errorHandler, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import type { Queue } from "bullmq";
import type { Registry } from "prom-client";
import { privateKeyToAccount } from "viem/accounts";
import { assignAnswered } from "./assign.ts";
import { type DispenseSettings, limitsOf, progressDeadlines } from "./env.ts";
import { createHandler } from "./handle.ts";
import { createMetrics } from "./metrics.ts";
import { followProgress } from "./replacements.ts";
import { createSweep } from "./sweep.ts";

// Concurrent assignment transactions: the next ones are prepared while one is mined.
const assigners = 3;

/**
 * Starts dispense: serves its queue, sends assignments, and follows the progress of leases.
 *
 * @returns The URL it listens on.
 */
export async function startDispense(
  settings: DispenseSettings,
  context: ServiceContext,
): Promise<{ url: string }> {
  const { logger, signal } = context;
  const deployment = readDeployment(settings.DEPLOYMENT_FILE);
  const client = createChainClient({ rpcUrls: settings.CHAIN_RPC_URLS, chainId: deployment.chainId });
  const { DATABASE_URL: url, CONCURRENCY } = settings;
  const pool = await openPool(context, { url, name: "dispense", max: CONCURRENCY + 8 });
  const redis = await openRedis(context, settings.REDIS_URL);
  await requireChain(client, deployment);
  const runner = await holdRunnerLock({ url: settings.DATABASE_URL, name: "dispense claims" }, context);
  const account = privateKeyToAccount(settings.SIGNER_KEY);
  const sender = await createSender({ pool, client, account, deployment, logger, signal });
  const registry = createRegistry("dispense");
  const dispenseQueue = openQueue(queues.dispense, redis, context);
  const placementQueue = openQueue(queues.placement, redis, context);
  const work = startWork({
    settings,
    context,
    pool,
    sender,
    runner,
    deployment,
    registry,
    dispenseQueue,
    placementQueue,
  });
  serveQueue(queues.dispense, redis, context, work.handle, settings.CONCURRENCY);
  listenForChanges({
    url: settings.DATABASE_URL,
    channels: [chainChannel, appChannel],
    logger,
    signal,
    onNotice: (channel, payload) => {
      if (channel === appChannel && payload !== undefined && payload !== "placement") return;
      for (const loop of channel === appChannel ? work.onAnswer : work.onBlock) loop.wake();
    },
  });
  const health = queueHealth(pool, redis);
  const app = createApp({ health, registry });
  app.use(errorHandler(logger));
  return listen(app, { host: settings.HOST, port: settings.PORT }, context);
}

type WorkDeps = {
  settings: DispenseSettings;
  context: ServiceContext;
  pool: Database;
  sender: Sender;
  runner: bigint;
  deployment: Deployment;
  registry: Registry;
  dispenseQueue: Queue;
  placementQueue: Queue;
};

/** Starts the loops. Each runs every SWEEP_SECONDS, and earlier when woken. */
function startWork({ settings, context, pool, sender, runner, deployment, registry, ...queue }: WorkDeps) {
  const { logger, signal } = context;
  const metrics = createMetrics(registry);
  const enqueuePlacement = (requestId: string) => enqueue(queue.placementQueue, { requestId });
  const requeue = (workspaceId: bigint) => enqueueWorkspace(queue.dispenseQueue, workspaceId);
  const batchSize = settings.ASSIGN_BATCH;
  const loop = (name: string, round: (signal: AbortSignal) => Promise<void>): Loop => {
    const started = startLoop({ name, logger, signal, interval: settings.SWEEP_SECONDS * 1000 }, round);
    context.onStop(name, () => started.done);
    return started;
  };
  const shared = { pool, sender, runner, deployment, logger, metrics, batchSize };
  const assignDeps = { ...shared, perNode: settings.NODE_TRANSFERS, requeue };
  const onAnswer = Array.from({ length: assigners }, (_, index) =>
    loop(`assign ${index + 1}`, (ended) => assignAnswered(assignDeps, ended)),
  );
  const sweep = createSweep({
    pool,
    logger,
    metrics,
    runner,
    onBatchReleased: () => {
      for (const assigning of onAnswer) assigning.wake();
    },
    placementDeadline: settings.PLACEMENT_DEADLINE_SECONDS,
    enqueuePlacement,
    requeue,
  });
  const deadlines = progressDeadlines(settings);
  const onBlock = [loop("sweep", sweep), loop("follow", () => followProgress({ ...shared, deadlines }))];
  const handle = createHandler({ pool, logger, metrics, limits: limitsOf(settings), enqueuePlacement });
  return { handle, onAnswer, onBlock };
}
