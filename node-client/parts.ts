import { EventEmitter } from "node:events";
import type { ServerMessage } from "@ngpu/protocol/wire";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createDownloadPriority, type DownloadPriority } from "./downloadPriority.ts";
import type { NodeEnv } from "./env.ts";
import { createHeartbeatAcks, type HeartbeatAcks } from "./heartbeatAcks.ts";
import { createLastContact, type LastContact } from "./lastContact.ts";
import { createRounds } from "./measurementRounds.ts";
import { createMembership, type Membership } from "./membership.ts";
import { nodeMetrics } from "./metrics.ts";
import { createNodeRequests } from "./nodeRequests.ts";
import { createObservedState, imagesInUse } from "./observedState.ts";
import { createOutbox, type Outbox } from "./outbox.ts";
import { createPrefetcher } from "./prefetch.ts";
import type { Prepared } from "./prepare.ts";
import { createReasonReporter, type ReasonReporter } from "./reasons/reasonReporter.ts";
import { createReconciler, type ReconcileDependencies, type Reconciler } from "./reconcile.ts";
import { createLeaseSecrets } from "./secrets/leaseSecrets.ts";
import { createSecretClient, type SecretClient } from "./secrets/secretClient.ts";
import { createSecretFiles } from "./secrets/secretFiles.ts";
import { type Session, startSession } from "./session.ts";
import { createTunnels, type Tunnels } from "./tunnels.ts";
import { prefetchLimit } from "./updates/applyConfig.ts";
import { startUpdates, type Updates } from "./updates/updateLoop.ts";
import { version } from "./version.ts";
import { openHostShell } from "./walls/hostShell.ts";
import { createWalls, type Walls } from "./walls/walls.ts";
import { createHardwareClaim } from "./waves/hardwareClaim.ts";
import { createWaves, type Waves } from "./waves/waves.ts";

/** Events between the parts of the node. */
type NodeEvents = {
  message: [ServerMessage];
  /** A lease or a measurement round may need work. */
  work: [];
  /** The node's registration may have changed. */
  registration: [];
};

/** The dependencies of all parts. */
type BaseParts = Prepared & {
  context: ServiceContext;
  env: NodeEnv;
  events: EventEmitter<NodeEvents>;
  metrics: ReturnType<typeof nodeMetrics>;
  lastContact: LastContact;
};

/** The parts that communicate with match and the chain. */
type NetworkParts = {
  membership: Membership;
  session: Session;
  outbox: Outbox;
  heartbeatAcks: HeartbeatAcks;
  secretClient: SecretClient;
};

/** The parts that use the engine. */
type EngineParts = {
  downloadPriority: DownloadPriority;
  walls: Walls;
  reasons: ReasonReporter;
  reconciler: Reconciler;
  prefetcher: ReturnType<typeof createPrefetcher>;
  tunnels: Tunnels;
  rounds: ReturnType<typeof createRounds>;
  waves: Waves;
  hardwareClaim: ReturnType<typeof createHardwareClaim>;
};

export type NodeParts = BaseParts &
  NetworkParts &
  EngineParts & { heartbeatSeconds: number; updates: Updates };

/** Creates the parts of a compute node. `startLoops` starts their background work. */
export function createParts(context: ServiceContext, env: NodeEnv, prepared: Prepared): NodeParts {
  const base: BaseParts = {
    ...prepared,
    context,
    env,
    events: new EventEmitter<NodeEvents>(),
    metrics: nodeMetrics(),
    lastContact: createLastContact(prepared.journal),
  };
  const networkParts = createNetworkParts(base);
  const engineParts = createEngineParts(base, networkParts);
  // The default until match sends another.
  const heartbeatSeconds = prepared.network.deployment.parameters.slotSeconds / 2;
  return {
    ...base,
    ...networkParts,
    ...engineParts,
    heartbeatSeconds,
    updates: startNodeUpdates(base, networkParts),
  };
}

function createNetworkParts(base: BaseParts): NetworkParts {
  const { events, account, network, journal, client } = base;
  const { logger } = base.context;
  const { deployment } = network;
  const membership = startMembership(base);
  const session = startNodeSession(base);
  const outbox = createOutbox({
    journal,
    account,
    deployment,
    send: session.send,
    logger,
    onSettled: () => events.emit("registration"),
  });
  const heartbeatAcks = createHeartbeatAcks({
    client,
    deployment,
    journal,
    outbox,
    logger,
    nodeId: membership.nodeId,
  });
  const secretClient = createSecretClient({ account, deployment, send: session.send });
  return { membership, session, outbox, heartbeatAcks, secretClient };
}

function startNodeUpdates(
  { context, env, account, updatePlace }: BaseParts,
  { session, membership }: NetworkParts,
): Updates {
  return startUpdates({
    place: updatePlace,
    api: env.NGPU_API,
    address: account.address,
    region: env.NODE_REGION,
    seconds: env.NODE_UPDATE_SECONDS,
    isHealthy: () => session.isOpen() && membership.isCurrent(),
    context,
  });
}

function startMembership({ context, events, lastContact, network, journal, client }: BaseParts): Membership {
  const { logger, signal, fail } = context;
  return createMembership({
    client,
    deployment: network.deployment,
    journal,
    logger,
    signal,
    fail,
    onChange: () => events.emit("work"),
    onContact: lastContact.note,
  });
}

function startNodeSession({ context, env, events, account, network }: BaseParts): Session {
  const { logger, signal } = context;
  return startSession({
    role: "node",
    account,
    deployment: network.deployment,
    urls: () => network.matchUrls,
    version,
    host: env.NODE_HOST,
    logger,
    signal,
    onMessage: (message) => events.emit("message", message),
  });
}

function createEngineParts(base: BaseParts, networkParts: NetworkParts): EngineParts {
  const { context, env, account, network, journal, engine, dataDir } = base;
  const { membership, session } = networkParts;
  const { logger, signal } = context;
  const downloadPriority = createDownloadPriority();
  const reasons = createReasonReporter({ engine, send: session.send, logger });
  const walls = createWalls({ engine, shell: openHostShell(engine), logger });
  const reconciler = createReconciler({
    ...reconcilerOptions(base, networkParts, downloadPriority),
    walls,
    reasons,
  });
  const prefetcher = createPrefetcher({
    engine,
    dataDir,
    journal,
    downloadPriority,
    logger,
    signal,
    send: session.send,
    inUse: () => imagesInUse(journal, membership.view()),
    limitGib: prefetchLimit(env.NODE_PREFETCH_GIB, base.clientConfig),
  });
  const tunnels = createTunnels({
    account,
    deployment: network.deployment,
    portOf: (lease) => reconciler.running().get(lease),
    nodeRequests: createNodeRequests({ engine, current: reconciler.current, logger, signal }),
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
  const proving = createProving(base, networkParts);
  return { downloadPriority, walls, reasons, reconciler, prefetcher, tunnels, rounds, ...proving };
}

/** The parts that claim this machine's devices, and prove them in waves. */
function createProving(
  base: BaseParts,
  { membership, outbox }: NetworkParts,
): Pick<EngineParts, "waves" | "hardwareClaim"> {
  const { context, env, network, journal, engine, client } = base;
  const shared = {
    ...{ engine, client, logger: context.logger, signal: context.signal },
    besideTenants: env.NODE_PROOF_BESIDE_TENANTS,
    probeImage: () => network.probeImage ?? undefined,
    hardware: () => base.hardware,
  };
  const hardwareClaim = createHardwareClaim({
    ...{ ...shared, journal, outbox },
    deployment: network.deployment,
    nodeId: membership.nodeId,
    isProving: () => waves.isBusy(),
    memoryMib: env.NODE_PROOF_MEMORY_MIB,
    delaySeconds: env.NODE_PROOF_DELAY_SECONDS,
  });
  const waves = createWaves({ ...shared, claimed: hardwareClaim.claimed });
  return { waves, hardwareClaim };
}

function reconcilerOptions(
  { context, events, metrics, lastContact, client, network, journal, engine, dataDir, hardware }: BaseParts,
  { membership, session, outbox, secretClient }: NetworkParts,
  downloadPriority: DownloadPriority,
): Omit<ReconcileDependencies, "reasons" | "walls"> {
  return {
    engine,
    dataDir,
    client,
    deployment: network.deployment,
    journal,
    observed: createObservedState(),
    outbox,
    secrets: createLeaseSecrets(secretClient, createSecretFiles(`${engine.market}-${engine.node}`)),
    downloadPriority,
    logger: context.logger,
    signal: context.signal,
    gpus: () => hardware.gpus,
    sickGpus: () => hardware.sickGpus,
    view: membership.view,
    lastContactAt: lastContact.last,
    onDone: () => events.emit("work"),
    onAction: metrics.countAction,
    onProgress: ({ workspaceId, replica, lease }, progress) =>
      session.send({ type: "live", workspaceId, replica, lease, ...progress }),
  };
}
