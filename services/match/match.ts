import type { Server } from "node:http";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { chainChannel } from "@ngpu/db/listen";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Redis } from "ioredis";
import type { Registry } from "prom-client";
import type { LocalAccount } from "viem";
import type { MatchEnv } from "./env.ts";
import { type Outage, startFailover } from "./failover/failover.ts";
import { startMeasure } from "./measurement/measure.ts";
import { createMatchMetrics } from "./metrics.ts";
import { hearAboutPrefetch, type PrefetchOptions, startPrefetch } from "./prefetch/prefetch.ts";
import { startAcknowledging } from "./presence/acknowledge.ts";
import { startHeartbeats } from "./presence/heartbeats.ts";
import { createPresence } from "./presence/presence.ts";
import { startRelay } from "./relay/relay.ts";
import type { IndexedFleet } from "./scheduling/fleetSync.ts";
import { startPlacement } from "./scheduling/placement.ts";
import { beginInstance } from "./sessions/absenceStore.ts";
import { hearAboutRound, startInstruct } from "./sessions/instruct.ts";
import { startRoster } from "./sessions/roster.ts";
import { replacedNotice, writeLive } from "./sessions/sessionStore.ts";
import { type Session, type SessionMessage, serveSessions } from "./sessions/sessions.ts";

export type MatchOptions = {
  context: ServiceContext;
  env: Pick<
    MatchEnv,
    | "DATABASE_URL"
    | "PUBLIC_URL"
    | "PROBE_IMAGE"
    | "PROBE_PORTS"
    | "INSTANCE"
    | "LOSS_SECONDS"
    | "LOSS_SHARE"
    | "LOSS_FLOOR"
  > &
    PrefetchOptions["env"];
  deployment: Deployment;
  pool: Database;
  redis: Redis;
  sender: Sender;
  /** Signs receipts of heartbeats; the account that `sender` sends from. */
  account: LocalAccount;
  client: ChainClient;
  registry: Registry;
  server: Server;
  fleetNow: () => Promise<IndexedFleet>;
};

export type Match = {
  /** To be called with every notification from Postgres. */
  notice: (channel: string, payload: string | undefined) => void;
  /** What the watch over nodes suspects, where this instance leads it. */
  outage: () => Outage | null;
};

/** Wires the parts of match. */
export async function startMatch(options: MatchOptions): Promise<Match> {
  const { context, env, deployment, pool, redis, sender, server, fleetNow } = options;
  const metrics = createMatchMetrics(options.registry);
  const databaseUrl = env.DATABASE_URL;
  // Several heartbeats a slot, so that one that gets lost costs nothing; so often that two that are missed are soon noticed.
  const heartbeatSeconds = Math.max(1, Math.min(4, Math.floor(deployment.parameters.slotSeconds / 3)));
  await beginInstance(pool, env.INSTANCE);

  const presence = createPresence({ redis, deployment });
  const shared = { context, pool, deployment, sender, metrics, databaseUrl };
  const relay = startRelay({ ...shared, instance: env.INSTANCE });
  const hear = async (session: Session, message: SessionMessage) => {
    if (message.type === "relay") return relay.submit(session, message);
    if (message.type === "probeReady" || message.type === "probeFailed" || message.type === "measureFailed") {
      return hearAboutRound(pool, session, message);
    }
    if (message.type === "prefetched") return hearAboutPrefetch({ pool, metrics }, session, message);
    if (session.role !== "node") {
      throw new InputError(`A measurer does not send ${message.type}.`, { code: "message_unexpected" });
    }
    if (message.type === "heartbeat") return acknowledge(session, message);
    if (session.subjectId !== null) await writeLive(pool, session.subjectId, message);
  };
  const sessions = serveSessions({
    ...{ server, pool, deployment, logger: context.logger, metrics, heartbeatSeconds },
    instance: env.INSTANCE,
    audience: env.PUBLIC_URL,
    onOpen: (session) => roster.watch(session),
    onMessage: hear,
  });
  context.onStop("sessions", () => sessions.stop());
  const roster = startRoster({ ...shared, sessions, instance: env.INSTANCE, heartbeatSeconds });
  const acknowledge = startAcknowledging({ ...shared, account: options.account, presence, roster });
  const instruct = startInstruct({ context, pool, sessions, probeImage: env.PROBE_IMAGE });
  const placement = startPlacement({ context, pool, redis, answers: metrics.answers, fleetNow });
  startPrefetch({ ...shared, env, fleetNow });
  startHeartbeats({ ...shared, presence });
  const measure = startMeasure({ ...shared, client: options.client, ports: env.PROBE_PORTS });
  const failover = startFailover({
    ...shared,
    lossSeconds: env.LOSS_SECONDS,
    instance: env.INSTANCE,
    lossShare: env.LOSS_SHARE,
    lossFloor: env.LOSS_FLOOR,
  });
  return {
    outage: failover.outage,
    notice(channel, payload) {
      if (payload?.startsWith(replacedNotice)) {
        sessions.replaced(payload.slice(replacedNotice.length).split(","));
        return;
      }
      if (channel === chainChannel || payload === undefined) {
        for (const part of [roster, measure, failover, relay]) part.wake();
        return;
      }
      if (payload === "relay") relay.wake();
      if (payload === "placement") placement.wake();
      if (payload === "prefetch") instruct.wake();
      if (payload === "measure_round" || payload === "session") {
        instruct.wake();
        measure.wake();
      }
    },
  };
}
