import { createApp, listen as listenHttp } from "@ngpu/runtime/http";
import { runService, type ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";
import { startLoop } from "@ngpu/runtime/loop";
import { watchEngine } from "./docker/events.ts";
import type { NodeEnv } from "./env.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { dropProbe, putProbe } from "./journal/probes.ts";
import { createMemory, imagesInUse } from "./knowledge.ts";
import { createMembership } from "./membership.ts";
import { nodeMetrics } from "./metrics.ts";
import { watchNetwork } from "./network.ts";
import { createOutbox } from "./outbox.ts";
import { createPrefetcher } from "./prefetch.ts";
import { type Prepared, prepareNode } from "./prepare.ts";
import { createReceipts } from "./receipts.ts";
import { createReconciler } from "./reconcile.ts";
import { keepRegistered } from "./registration.ts";
import { createRightOfWay } from "./rightOfWay.ts";
import { createRounds } from "./rounds.ts";
import { startSession } from "./session.ts";
import { createSight } from "./sight.ts";
import { offerOf } from "./spec.ts";
import { createTunnels } from "./tunnels.ts";
import { version } from "./version.ts";

/** What SIGTERM gets: containers that are to be stopped have 10 s of their own. */
const stopDeadline = 18_000;

/** Runs the compute node until it is stopped. @throws NgpuError when it cannot be started. */
export async function runNode(env: NodeEnv): Promise<void> {
  const prepared = await prepareNode(env, createLogger("node", env.LOG_LEVEL));
  await runService({ name: "node", logLevel: env.LOG_LEVEL, stopDeadline }, (context) =>
    startNode(context, env, prepared),
  );
}

async function startNode(context: ServiceContext, env: NodeEnv, prepared: Prepared): Promise<void> {
  const { logger, signal } = context;
  const { account, network, journal, engine, dataDir, hardware, client } = prepared;
  const { deployment } = network;
  const metrics = nodeMetrics();
  const sight = createSight(journal);
  const wake = { registration: () => {}, work: () => {} };
  const membership = createMembership({
    client,
    deployment,
    journal,
    logger,
    signal,
    fail: context.fail,
    onChange: () => wake.work(),
    onSight: sight.note,
  });
  let heartbeatSeconds = deployment.parameters.slotSeconds / 2;
  const session = startSession({
    role: "node",
    account,
    deployment,
    urls: () => network.matchUrls,
    version,
    host: env.NODE_HOST,
    logger,
    signal,
    onMessage: (message) => {
      sight.note();
      if (message.type === "welcome") {
        heartbeatSeconds = message.heartbeatSeconds;
        outbox.resend();
        prefetcher.repeat();
        wake.registration();
      } else if (message.type === "relayed") outbox.take(message);
      else if (message.type === "ack") receipts.take(message).catch(context.fail);
      else if (message.type === "probe") putProbe(journal, message);
      else if (message.type === "prefetch") prefetcher.take(message);
      else if (message.type === "probeDone") dropProbe(journal, message.roundId);
      if (message.type !== "ack") wake.work();
    },
  });
  const outbox = createOutbox({
    journal,
    account,
    deployment,
    send: session.send,
    logger,
    onSettled: () => wake.registration(),
  });
  const receipts = createReceipts({
    ...{ client, deployment, journal, outbox, logger },
    nodeId: membership.nodeId,
  });
  const rightOfWay = createRightOfWay();
  const reconciler = createReconciler({
    engine,
    dataDir,
    client,
    deployment,
    journal,
    memory: createMemory(),
    outbox,
    rightOfWay,
    logger,
    signal,
    gpuUuids: hardware.gpus.map((gpu) => gpu.uuid),
    view: membership.view,
    lastSight: sight.last,
    onDone: () => wake.work(),
    onAction: metrics.countAction,
    onProgress: ({ workspaceId, replica, lease }, progress) =>
      session.send({ type: "live", workspaceId, replica, lease, ...progress }),
  });
  const prefetcher = createPrefetcher({
    ...{ engine, dataDir, journal, rightOfWay, logger, signal },
    send: session.send,
    inUse: () => imagesInUse(journal, membership.view()),
    limitGib: env.NODE_PREFETCH_GIB,
  });
  const tunnels = createTunnels({
    account,
    deployment,
    portOf: (lease) => reconciler.running().get(lease),
    logger,
    signal,
  });
  const rounds = createRounds({
    engine,
    journal,
    logger,
    signal,
    send: session.send,
    probeImage: () => network.probeImage ?? undefined,
    rounds: () => membership.view().rounds,
  });
  const offer = offerOf(hardware, { region: env.NODE_REGION, price: env.NODE_PRICE });
  const registration = startLoop({ name: "registration", logger, signal, interval: 10_000 }, async () => {
    outbox.resend();
    const id = await keepRegistered({
      client,
      deployment,
      account,
      wallet: env.NODE_WALLET,
      journal,
      outbox,
      offer,
      gpus: hardware.gpus,
      noteAbsent: membership.noteAbsent,
    });
    if (id === undefined) return;
    membership.join(id);
    tunnels.keep(network.gatewayUrls);
  });
  wake.registration = registration.wake;
  const work = startLoop({ name: "reconcile", logger, signal, interval: 2_000 }, async () => {
    if (membership.isCurrent()) await reconciler.round();
  });
  const probes = startLoop({ name: "probes", logger, signal, interval: 1_000 }, async () => {
    if (membership.isCurrent()) await rounds();
  });
  // A few slots at a time: the chain's endpoints serve many nodes.
  const receiptsEvery = Math.min(300_000, 5_000 * deployment.parameters.slotSeconds);
  const disputes = startLoop({ name: "receipts", logger, signal, interval: receiptsEvery }, () =>
    receipts.check(Date.now()),
  );
  wake.work = () => {
    work.wake();
    probes.wake();
  };

  const background = [
    session.done,
    registration.done,
    work.done,
    probes.done,
    disputes.done,
    watchNetwork({ api: env.NGPU_API, dir: env.NODE_DIR, network, logger, signal, fail: context.fail }),
    watchEngine(engine, { signal, logger, onEvent: () => wake.work() }),
    sendHeartbeats({
      session,
      slotSeconds: deployment.parameters.slotSeconds,
      everySeconds: () => heartbeatSeconds,
      dataDir,
      running: () => reconciler.running().keys(),
      signal,
      logger,
    }),
  ];
  context.onStop("journal", () => journal.close());
  context.onStop("loops", async () => {
    await Promise.all([...background, membership.done(), tunnels.done()]);
    await Promise.all([reconciler.idle(), prefetcher.idle()]);
    if (env.NODE_STOP_CONTAINERS) await reconciler.stopAll();
  });
  const state = () => ({
    nodeId: membership.nodeId() ?? null,
    address: account.address,
    session: session.isOpen(),
    tunnels: tunnels.open(),
    current: membership.isCurrent(),
    running: [...reconciler.running().keys()],
    lastSight: sight.last(),
  });
  metrics.watch(state);
  const app = createApp({ registry: metrics.registry, health: () => ({ ok: true, details: state() }) });
  await listenHttp(app, { host: env.HOST, port: env.PORT }, context);
}
