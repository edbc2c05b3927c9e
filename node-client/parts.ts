import { EventEmitter } from "node:events";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createEngineParts } from "./engineParts.ts";
import type { NodeEnv } from "./env.ts";
import { createHeartbeatAcks } from "./heartbeatAcks.ts";
import { createLastContact } from "./lastContact.ts";
import { createMembership, type Membership } from "./membership.ts";
import { nodeMetrics } from "./metrics.ts";
import { createOutbox } from "./outbox.ts";
import type { BaseParts, NetworkParts, NodeEvents, NodeParts } from "./partTypes.ts";
import type { Prepared } from "./prepare.ts";
import { createSecretClient } from "./secrets/secretClient.ts";
import { type Session, startSession } from "./session.ts";
import { startUpdates, type Updates } from "./updates/updateLoop.ts";
import { version } from "./version.ts";

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
