import { EventEmitter } from "node:events";
import type { ServerMessage } from "@ngpu/protocol/wire";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createDownloadPriority } from "./downloadPriority.ts";
import type { NodeEnv } from "./env.ts";
import { createHeartbeatAcks, type HeartbeatAcks } from "./heartbeatAcks.ts";
import { createLastContact, type LastContact } from "./lastContact.ts";
import { createRounds } from "./measurementRounds.ts";
import { createMembership, type Membership } from "./membership.ts";
import { nodeMetrics } from "./metrics.ts";
import { createObservedState, imagesInUse } from "./observedState.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { createPrefetcher } from "./prefetch.ts";
import type { Prepared } from "./prepare.ts";
import { createReconciler, type ReconcileDependencies, type Reconciler } from "./reconcile.ts";
import { type Session, startSession } from "./session.ts";
import { createTunnels, type Tunnels } from "./tunnels.ts";
import { version } from "./version.ts";

/** What one part of the node says to those that start after it. */
type NodeEvents = {
  message: [ServerMessage];
  /** There may be something to do for a lease, or in a round of measurement. */
  work: [];
  /** The node's registration may have changed. */
  registration: [];
};

/** What every part of the node is made with. */
type Ground = Prepared & {
  context: ServiceContext;
  env: NodeEnv;
  events: EventEmitter<NodeEvents>;
  metrics: ReturnType<typeof nodeMetrics>;
  lastContact: LastContact;
};

/** The parts that speak with match and the chain. */
type Contact = { membership: Membership; session: Session; outbox: Outbox; receipts: HeartbeatAcks };

/** The parts that work on the engine. */
type Work = {
  reconciler: Reconciler;
  prefetcher: ReturnType<typeof createPrefetcher>;
  tunnels: Tunnels;
  rounds: ReturnType<typeof createRounds>;
};

export type NodeParts = Ground & Contact & Work & { heartbeatSeconds: number };

/** Makes the parts of a compute node; the loops that drive them start later. */
export function createParts(context: ServiceContext, env: NodeEnv, prepared: Prepared): NodeParts {
  const ground: Ground = {
    ...prepared,
    context,
    env,
    events: new EventEmitter<NodeEvents>(),
    metrics: nodeMetrics(),
    lastContact: createLastContact(prepared.journal),
  };
  const contact = createContact(ground);
  const work = createWork(ground, contact);
  // Until match says otherwise.
  const heartbeatSeconds = prepared.network.deployment.parameters.slotSeconds / 2;
  return { ...ground, ...contact, ...work, heartbeatSeconds };
}

function createContact({
  context,
  env,
  events,
  lastContact,
  account,
  network,
  journal,
  client,
}: Ground): Contact {
  const { logger, signal, fail } = context;
  const { deployment } = network;
  const membership = createMembership({
    client,
    deployment,
    journal,
    logger,
    signal,
    fail,
    onChange: () => events.emit("work"),
    onContact: lastContact.note,
  });
  const session = startSession({
    role: "node",
    account,
    deployment,
    urls: () => network.matchUrls,
    version,
    host: env.NODE_HOST,
    logger,
    signal,
    onMessage: (message) => events.emit("message", message),
  });
  const outbox = createOutbox({
    journal,
    account,
    deployment,
    send: session.send,
    logger,
    onSettled: () => events.emit("registration"),
  });
  const receipts = createHeartbeatAcks({
    client,
    deployment,
    journal,
    outbox,
    logger,
    nodeId: membership.nodeId,
  });
  return { membership, session, outbox, receipts };
}

function createWork(ground: Ground, contact: Contact): Work {
  const { context, env, account, network, journal, engine, dataDir } = ground;
  const { membership, session } = contact;
  const { logger, signal } = context;
  const downloadPriority = createDownloadPriority();
  const reconciler = createReconciler(reconcilerOptions(ground, contact, downloadPriority));
  const prefetcher = createPrefetcher({
    engine,
    dataDir,
    journal,
    downloadPriority,
    logger,
    signal,
    send: session.send,
    inUse: () => imagesInUse(journal, membership.view()),
    limitGib: env.NODE_PREFETCH_GIB,
  });
  const tunnels = createTunnels({
    account,
    deployment: network.deployment,
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
  return { reconciler, prefetcher, tunnels, rounds };
}

function reconcilerOptions(
  { context, events, metrics, lastContact, client, network, journal, engine, dataDir, hardware }: Ground,
  { membership, session, outbox }: Contact,
  downloadPriority: ReturnType<typeof createDownloadPriority>,
): ReconcileDependencies {
  return {
    engine,
    dataDir,
    client,
    deployment: network.deployment,
    journal,
    observed: createObservedState(),
    outbox,
    downloadPriority,
    logger: context.logger,
    signal: context.signal,
    gpuUuids: hardware.gpus.map((gpu) => gpu.uuid),
    view: membership.view,
    lastContactAt: lastContact.last,
    onDone: () => events.emit("work"),
    onAction: metrics.countAction,
    onProgress: ({ workspaceId, replica, lease }, progress) =>
      session.send({ type: "live", workspaceId, replica, lease, ...progress }),
  };
}
