import { FatalError } from "@ngpu/runtime/errors";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { watchEngine } from "./docker/events.ts";
import { nodeKeyPlace } from "./env.ts";
import { watchGpus } from "./gpuWatch.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { nextAddress } from "./keys/rotation.ts";
import { watchNetwork } from "./network.ts";
import { readSettings, walletOf } from "./operator/settings.ts";
import { currentOffer } from "./operator/status.ts";
import type { NodeParts } from "./partTypes.ts";
import { readGpusAgain } from "./probe/hardware.ts";
import { prefetchProbeImage } from "./probeImage.ts";
import { roundInterval } from "./reconcile.ts";
import { ensureRegistered, nodeIdOf } from "./registration.ts";

/** Milliseconds between checks of the firewall: so long its rules may be missing after another program removed them. */
const wallsInterval = 5_000;

/** Milliseconds between checks whether this machine's devices are claimed. */
const claimInterval = 5_000;

/** Starts the background work of the node. @returns Promises that resolve once it has ended, after the node's stop. */
export function startLoops(node: NodeParts): Promise<void>[] {
  const { context, env, network, engine, events } = node;
  const { logger, signal, fail } = context;
  const registration = startRegistration(node);
  events.on("registration", registration.wake);
  const work = startLoop({ name: "reconcile", logger, signal, interval: roundInterval }, async () => {
    if (node.membership.isCurrent()) await node.reconciler.round();
  });
  events.on("work", work.wake);
  const probes = startLoop({ name: "probes", logger, signal, interval: 1_000 }, async () => {
    if (node.membership.isCurrent()) await node.rounds();
  });
  events.on("work", probes.wake);
  return [
    node.session.done,
    registration.done,
    work.done,
    probes.done,
    startDisputes(node).done,
    startLoop({ name: "hardwareClaim", logger, signal, interval: claimInterval }, async () => {
      if (node.membership.isCurrent()) await node.hardwareClaim.round();
    }).done,
    startLoop({ name: "walls", logger, signal, interval: wallsInterval }, node.walls.check).done,
    watchGpus({
      hardware: node.hardware,
      read: () => readGpusAgain(env),
      onChange: () => events.emit("registration"),
      logger,
      signal,
    }).done,
    prefetchProbeImage({
      engine,
      reference: network.probeImage ?? undefined,
      downloadPriority: node.downloadPriority,
      logger,
      signal,
    }),
    watchNetwork({
      api: env.NGPU_API,
      dir: env.NODE_DIR,
      network,
      clientConfig: node.clientConfig,
      logger,
      signal,
      fail,
    }),
    node.updates.done,
    watchEngine(engine, { signal, logger, onEvent: () => events.emit("work") }),
    startHeartbeats(node),
  ];
}

/** Registers the node and keeps its entry in the registry up to date. A registered node follows the chain and opens tunnels. */
function startRegistration(node: NodeParts): Loop {
  const { context, env, account, network, journal, client, hardware, outbox, membership, tunnels } = node;
  const { logger, signal } = context;
  return startLoop({ name: "registration", logger, signal, interval: 10_000 }, async () => {
    outbox.resend();
    await restartWithNextKey(node);
    const settings = readSettings(journal);
    const id = await ensureRegistered({
      client,
      deployment: network.deployment,
      account,
      ...walletOf(settings, env),
      logger,
      journal,
      outbox,
      offer: currentOffer(node),
      status: settings.drained ? "maintenance" : "online",
      gpus: hardware.gpus,
      sickGpus: hardware.sickGpus,
      recordAbsence: membership.recordAbsence,
    });
    if (id === undefined) return;
    membership.join(id);
    tunnels.setGateways(network.gatewayUrls);
  });
}

/** Ends the client, which is started again, once the node's wallet has put its next key in place. */
async function restartWithNextKey({ context, env, network, client }: NodeParts): Promise<void> {
  const address = nextAddress(nodeKeyPlace(env));
  if (address === undefined) return;
  const { deployment } = network;
  if ((await nodeIdOf({ client, deployment, account: { address } })) === 0) return;
  context.fail(
    new FatalError(`The registry lists the node's next key ${address}.`, {
      code: "node_key_replaced",
      hint: "Start the client again, where nothing restarts it: it puts the key in place.",
    }),
  );
}

function startDisputes({ context, network, heartbeatAcks }: NodeParts): Loop {
  const { logger, signal } = context;
  // Once in five slots at most: the RPC endpoints serve many nodes.
  const interval = Math.min(300_000, 5_000 * network.deployment.parameters.slotSeconds);
  return startLoop({ name: "disputes", logger, signal, interval }, () => heartbeatAcks.check(Date.now()));
}

function startHeartbeats(node: NodeParts): Promise<void> {
  const { context, network, dataDir, session, reconciler, hardware } = node;
  return sendHeartbeats({
    session,
    slotSeconds: network.deployment.parameters.slotSeconds,
    everySeconds: () => node.heartbeatSeconds,
    dataDir,
    running: () => reconciler.running().keys(),
    sickGpus: () => hardware.sickGpus,
    signal: context.signal,
    logger: context.logger,
  });
}
