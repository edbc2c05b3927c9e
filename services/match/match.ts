import type { Server } from "node:http";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Redis } from "ioredis";
import type { Registry } from "prom-client";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { MatchEnv } from "./env.ts";
import { type Outage, startFailover } from "./failover/failover.ts";
import { startWitness } from "./failover/witness.ts";
import { startMeasure } from "./measurement/measure.ts";
import { createMatchMetrics, type MatchMetrics } from "./metrics.ts";
import { createNotice, type Notice } from "./notifications.ts";
import { type PrefetchOptions, startPrefetch } from "./prefetch/prefetch.ts";
import { startAcknowledging } from "./presence/acknowledgeHeartbeats.ts";
import { startCosigner } from "./presence/cosigner.ts";
import { startHeartbeats } from "./presence/heartbeats.ts";
import { createPresence, type Presence } from "./presence/presence.ts";
import { createAckPublisher } from "./presence/publishAcks.ts";
import { startRestore } from "./presence/restore.ts";
import { type Relay, startRelay } from "./relay/relayBatches.ts";
import type { IndexedFleet } from "./scheduling/fleetSync.ts";
import { startPlacement } from "./scheduling/placement.ts";
import { registerInstance } from "./sessions/absenceStore.ts";
import { startOrderDispatch } from "./sessions/orderDispatch.ts";
import { createReasonReports } from "./sessions/reasonReports.ts";
import { startSecretAnswers } from "./sessions/secretRequests.ts";
import { createMessageRouter } from "./sessions/sessionMessages.ts";
import { type SessionMonitor, startSessionMonitor } from "./sessions/sessionMonitor.ts";
import { createSessions, type Sessions } from "./sessions/sessions.ts";
import { startWaves } from "./waves/waves.ts";

export type MatchOptions = {
  context: ServiceContext;
  env: Pick<
    MatchEnv,
    | "ACKNOWLEDGER_KEY"
    | "WITNESS_KEY"
    | "COSIGNER_KEY"
    | "DATABASE_URL"
    | "PUBLIC_URL"
    | "PROBE_IMAGE"
    | "PROBE_PORTS"
    | "INSTANCE"
    | "PRIVATE_ADDRESSES"
    | "LOSS_SECONDS"
    | "LOSS_SHARE"
    | "LOSS_FLOOR"
  > &
    PrefetchOptions["env"];
  deployment: Deployment;
  pool: Database;
  redis: Redis;
  senders: Senders;
  client: ChainClient;
  registry: Registry;
  server: Server;
  fleetNow: () => Promise<IndexedFleet>;
};

/** The account of each power. An instance has the parts of the accounts that it has. */
export type Senders = Record<"relayer" | "committer" | "keeper" | "measureKeeper", Sender | undefined>;

export type Match = {
  /** Call with every notification from Postgres. */
  notice: Notice;
  /** The suspected outage; null: none, or another instance leads the failover. */
  outage: () => Outage | null;
};

/** Dependencies that most parts share. */
type Shared = Pick<MatchOptions, "context" | "pool" | "deployment"> & {
  metrics: MatchMetrics;
  databaseUrl: string;
  instance: string;
};

/** Starts the parts of match that this instance has the keys of. */
export async function startMatch(options: MatchOptions): Promise<Match> {
  const { env, deployment, pool, redis, senders, client } = options;
  // A witness alone records nothing but its statements.
  if (Object.values(senders).some((sender) => sender !== undefined)) {
    await registerInstance(pool, env.INSTANCE);
  }
  const shared = {
    context: options.context,
    pool,
    deployment,
    metrics: createMatchMetrics(options.registry),
    databaseUrl: env.DATABASE_URL,
    instance: env.INSTANCE,
  };
  const presence = createPresence({ redis, deployment });
  const serving = startServing(options, shared, presence);
  const acknowledgerKey = senders.relayer === undefined ? undefined : env.ACKNOWLEDGER_KEY;
  const acks =
    acknowledgerKey && createAckPublisher({ ...shared, account: privateKeyToAccount(acknowledgerKey) });
  startHeartbeats({ ...shared, sender: senders.committer, presence, acks });
  const measure =
    senders.measureKeeper &&
    startMeasure({ ...shared, sender: senders.measureKeeper, client, ports: env.PROBE_PORTS });
  const losses = { lossSeconds: env.LOSS_SECONDS, lossShare: env.LOSS_SHARE, lossFloor: env.LOSS_FLOOR };
  const failover =
    senders.keeper && startFailover({ ...shared, ...losses, act: "release", sender: senders.keeper });
  if (env.WITNESS_KEY !== undefined) {
    startWitness({ ...shared, ...losses, account: privateKeyToAccount(env.WITNESS_KEY) });
  }
  if (env.COSIGNER_KEY !== undefined) {
    startCosigner({ ...shared, ...losses, account: privateKeyToAccount(env.COSIGNER_KEY) });
  }
  const offline =
    senders.committer && startFailover({ ...shared, ...losses, act: "offline", sender: senders.committer });
  return {
    outage: () => failover?.outage() ?? offline?.outage() ?? null,
    notice: createNotice({ ...serving, measure, failover, offline }),
  };
}

/** Serves nodes and services: sessions, relays, placements, prefetches. Nothing without the key that signs acknowledgements. */
function startServing(
  options: MatchOptions,
  shared: Shared,
  presence: Presence,
): Partial<Omit<Parameters<typeof createNotice>[0], "measure" | "failover" | "offline">> {
  const { context, env, pool, redis, senders, fleetNow } = options;
  if (env.ACKNOWLEDGER_KEY === undefined || senders.relayer === undefined) return {};
  const relay = startRelay({ ...shared, sender: senders.relayer });
  startRestore({ ...shared, sender: senders.relayer });
  const account = privateKeyToAccount(env.ACKNOWLEDGER_KEY);
  const { sessions, sessionMonitor } = startSessions(options, shared, { account, presence, relay });
  const { deployment } = shared;
  const orderDispatch = startOrderDispatch({
    context,
    pool,
    deployment,
    sessions,
    probeImage: env.PROBE_IMAGE,
  });
  const secretAnswers = startSecretAnswers({ context, pool, sessions });
  // Each step of a wave is anyone's, so the account without a power takes them.
  const waves = startWaves({ ...shared, sender: senders.relayer, ports: env.PROBE_PORTS });
  const placement = startPlacement({ context, pool, redis, answers: shared.metrics.answers, fleetNow });
  startPrefetch({ ...shared, env, fleetNow });
  return { sessions, sessionMonitor, relay, orderDispatch, secretAnswers, placement, waves };
}

/** Serves sessions and starts their monitor. */
function startSessions(
  { context, env, server }: MatchOptions,
  shared: Shared,
  { account, presence, relay }: { account: PrivateKeyAccount; presence: Presence; relay: Relay },
): { sessions: Sessions; sessionMonitor: SessionMonitor } {
  const { pool, deployment, metrics, instance } = shared;
  // Several heartbeats per slot, so that a lost one has no effect. At most 4 s apart, so that a loss is detected soon.
  const heartbeatSeconds = Math.max(1, Math.min(4, Math.floor(deployment.parameters.slotSeconds / 3)));
  const sessions = createSessions({
    server,
    pool,
    deployment,
    logger: context.logger,
    metrics,
    heartbeatSeconds,
    instance,
    audience: env.PUBLIC_URL,
    privateAddresses: env.PRIVATE_ADDRESSES,
  });
  context.onStop("sessions", () => sessions.stop());
  const sessionMonitor = startSessionMonitor({ ...shared, sessions, heartbeatSeconds });
  const acknowledge = startAcknowledging({ ...shared, account, presence, sessionMonitor });
  const { logger, signal } = context;
  const reportReason = createReasonReports({ pool, metrics, logger, signal });
  sessions.serve({
    onOpen: sessionMonitor.watch,
    onMessage: createMessageRouter({ pool, deployment, metrics, relay, acknowledge, reportReason }),
  });
  return { sessions, sessionMonitor };
}
