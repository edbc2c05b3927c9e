import { EventEmitter } from "node:events";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { readDeployment } from "@ngpu/contracts-sdk/deploymentFile";
import { appChannel, chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { createApp, createHttpServer, errorHandler, listen } from "@ngpu/runtime/http";
import { acceptedHeaderBytes } from "@ngpu/runtime/httpLimits";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { admit } from "./admit.ts";
import { defaultTimeouts, longestTimeouts, type Timeouts } from "./deadline.ts";
import type { Replica } from "./decide.ts";
import type { GatewayEnv } from "./env.ts";
import { createGatewayMetrics, type GatewayMetrics } from "./metrics.ts";
import { createNodeRouteHandler } from "./nodeRoute.ts";
import { createRouteHandler } from "./route.ts";
import { createRouter, type Router } from "./routing/router.ts";
import { serveDirectly } from "./serveDirectly.ts";
import { findPlacedReplica, findRunningReplicas, reconcileTunnels } from "./store.ts";
import { createTunnels, type Tunnels } from "./tunnels.ts";

/**
 * Starts the gateway, which accepts tunnels from nodes and routes the requests of apiServer to them.
 *
 * @returns The URL it listens on.
 */
export async function startGateway(
  context: ServiceContext,
  env: GatewayEnv,
  timeouts: Timeouts = defaultTimeouts,
): Promise<{ url: string }> {
  const { logger, signal } = context;
  const deployment = readDeployment(env.DEPLOYMENT_FILE);
  const db = await openPool(context, { url: env.DATABASE_URL, name: "gateway" });

  const registry = createRegistry("gateway");
  const metrics = createGatewayMetrics(registry);
  const router = createRouter<Replica>({
    nameOf: ({ workspaceId, replica, lease, nodeId }) => `${workspaceId}/${replica}/${lease}/${nodeId}`,
  });
  const view = startReplicaView(context, db, router);
  const { tunnels, rows } = startTunnels(context, env, { db, deployment, metrics });
  listenForChanges({
    url: env.DATABASE_URL,
    channels: [chainChannel, appChannel],
    logger,
    signal,
    onNotice: (channel, payload) => {
      if (channel === chainChannel || payload === undefined || payload === "scaling") view.wake();
    },
  });

  const app = createApp({ registry, health: () => healthOf(view, tunnels) });
  const handleRoute = createRouteHandler({
    token: env.GATEWAY_TOKEN,
    replicasOf: view.replicasOf,
    sessionOf: (nodeId) => tunnels.find(nodeId)?.session,
    router,
    logger,
    timeouts,
    onEnd: (outcome, seconds) => metrics.requests.observe({ outcome }, seconds),
  });
  const direct = serveDirectly("/v1/route", handleRoute, app);
  app.use(
    "/v1/node",
    createNodeRouteHandler({
      token: env.GATEWAY_TOKEN,
      placedReplica: (workspaceId, replica) => findPlacedReplica(db, workspaceId, replica),
      sessionOf: (nodeId) => tunnels.find(nodeId)?.session,
      logger,
      timeouts,
      onEnd: (outcome, seconds) => metrics.requests.observe({ outcome }, seconds),
    }),
  );
  app.use(errorHandler(logger));
  const { server, url } = await listen(
    createHttpServer(direct, { maxHeaderSize: acceptedHeaderBytes, requestTimeout: longestTimeouts.total }),
    { host: env.HOST, port: env.PORT },
    context,
  );
  server.on("upgrade", (request, socket, head) => {
    // A tunnel that is opened while the gateway stops would keep its port open.
    if (signal.aborted) socket.destroy();
    else void tunnels.accept(request, socket, head);
  });
  context.onStop("tunnels", async () => {
    await tunnels.closeAll();
    await rows.done;
    await reconcileTunnels(db, { instance: env.INSTANCE, url: env.PUBLIC_URL }, []);
  });
  logger.info({ event: "gateway_listening", url });
  return { url };
}

/** Keeps the tunnels of nodes, and their rows in the database. */
function startTunnels(
  { logger, signal }: ServiceContext,
  env: GatewayEnv,
  { db, deployment, metrics }: { db: Database; deployment: Deployment; metrics: GatewayMetrics },
): { tunnels: Tunnels; rows: Loop } {
  const changes = new EventEmitter<{ tunnels: [] }>();
  const tunnels = createTunnels({
    logger,
    admit: (headers) => admit({ db, deployment, audience: env.PUBLIC_URL, now: () => new Date() }, headers),
    onChange: () => changes.emit("tunnels"),
  });
  const rows = startLoop({ name: "tunnel_rows", logger, signal, interval: 15_000 }, async () => {
    metrics.tunnels.set(tunnels.all().length);
    await reconcileTunnels(db, { instance: env.INSTANCE, url: env.PUBLIC_URL }, tunnels.all());
  });
  changes.on("tunnels", rows.wake);
  startLoop({ name: "tunnel_pings", logger, signal, interval: 10_000 }, () => tunnels.ping());
  return { tunnels, rows };
}

type ReplicaView = ReturnType<typeof startReplicaView>;

function healthOf(view: ReplicaView, tunnels: Tunnels) {
  const loadedAt = view.loadedAt();
  return { ok: loadedAt !== undefined, details: { tunnels: tunnels.all().length, loadedAt } };
}

/** Keeps the running replicas of each workspace in memory. */
function startReplicaView({ logger, signal }: ServiceContext, db: Database, router: Router<Replica>) {
  let replicas = new Map<string, Replica[]>();
  let loadedAt: Date | undefined;
  const loop = startLoop({ name: "replicas", logger, signal, interval: 3_000 }, async () => {
    const found = await findRunningReplicas(db);
    replicas = Map.groupBy(found, (replica) => replica.workspaceId);
    loadedAt = new Date();
    router.retainOnly(found);
  });
  return {
    wake: loop.wake,
    /** When the view was last loaded; undefined before the first time. */
    loadedAt: () => loadedAt,
    replicasOf: (workspaceId: string) => replicas.get(workspaceId) ?? [],
  };
}
