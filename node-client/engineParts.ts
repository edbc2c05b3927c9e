import { createDownloadPriority, type DownloadPriority } from "./downloadPriority.ts";
import { createRounds } from "./measurementRounds.ts";
import { createNodeRequests } from "./nodeRequests.ts";
import { createObservedState, imagesInUse } from "./observedState.ts";
import type { BaseParts, EngineParts, NetworkParts } from "./partTypes.ts";
import { createPrefetcher } from "./prefetch.ts";
import { createReasonReporter } from "./reasons/reasonReporter.ts";
import { createReconciler, type ReconcileDependencies } from "./reconcile.ts";
import { createLeaseSecrets } from "./secrets/leaseSecrets.ts";
import { createSecretFiles } from "./secrets/secretFiles.ts";
import { createTunnels } from "./tunnels.ts";
import { prefetchLimit } from "./updates/applyConfig.ts";
import { openHostShell } from "./walls/hostShell.ts";
import { createWalls } from "./walls/walls.ts";
import { createHardwareClaim } from "./waves/hardwareClaim.ts";
import { createWaves } from "./waves/waves.ts";

/** Creates the parts that use the engine. */
export function createEngineParts(base: BaseParts, networkParts: NetworkParts): EngineParts {
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
    engine,
    client,
    logger: context.logger,
    signal: context.signal,
    besideTenants: env.NODE_PROOF_BESIDE_TENANTS,
    probeImage: () => network.probeImage ?? undefined,
    hardware: () => base.hardware,
  };
  const hardwareClaim = createHardwareClaim({
    ...shared,
    journal,
    outbox,
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
