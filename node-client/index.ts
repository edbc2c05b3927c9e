import { createApp, listen as listenHttp } from "@ngpu/runtime/http";
import { runService, type ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";
import type { NodeEnv } from "./env.ts";
import { handleMessage } from "./handleMessage.ts";
import { startLoops } from "./loops.ts";
import { serveControl } from "./operator/controlServer.ts";
import { stateOf } from "./operator/status.ts";
import { createParts } from "./parts.ts";
import { type Prepared, prepareNode } from "./prepare.ts";

/** Milliseconds from SIGTERM to the end: with NODE_STOP_CONTAINERS, containers get 10 s of it to stop. */
/** @deadline The node client's steps when it stops. The process exits; containers run on. */
const stopDeadline = 18_000;

/** Runs the compute node until it is stopped. @throws NgpuError when it cannot be started. */
export async function runNode(env: NodeEnv): Promise<void> {
  const prepared = await prepareNode(env, createLogger("node", env.LOG_LEVEL));
  await runService({ name: "node", logLevel: env.LOG_LEVEL, stopDeadline }, (context) =>
    startNode(context, env, prepared),
  );
}

async function startNode(context: ServiceContext, env: NodeEnv, prepared: Prepared): Promise<void> {
  const node = createParts(context, env, prepared);
  const { reconciler, prefetcher, membership, tunnels, metrics } = node;
  node.events.on("message", (message) => handleMessage(node, message));
  const background = startLoops(node);
  context.onStop("journal", () => node.journal.close());
  context.onStop("loops", async () => {
    await Promise.all([...background, membership.done(), tunnels.done()]);
    await Promise.all([reconciler.idle(), prefetcher.idle(), node.waves.idle()]);
    // Leases run on while the client is replaced.
    if (env.NODE_STOP_CONTAINERS && !node.updates.isRestarting()) await reconciler.stopAll();
  });
  await serveControl(node);
  const state = () => ({
    ...stateOf(node),
    running: [...reconciler.running().keys()],
    walls: node.walls.status(),
  });
  metrics.watch(state);
  const app = createApp({ registry: metrics.registry, health: () => ({ ok: true, details: state() }) });
  await listenHttp(app, { host: env.HOST, port: env.PORT }, context);
}
