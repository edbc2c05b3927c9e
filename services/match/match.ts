import type { Server } from "node:http";
import type { Redis } from "ioredis";
import type { Registry } from "prom-client";
import type { Deployment } from "../shared/chain/deployment.ts";
import type { Sender } from "../shared/chain/send.ts";
import { chainChannel } from "../shared/db/listen.ts";
import type { Database } from "../shared/db/pool.ts";
import { InputError } from "../shared/errors.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import type { MatchEnv } from "./env.ts";
import { startFailover } from "./failover.ts";
import type { IndexedFleet } from "./fleetSync.ts";
import { startHeartbeats, takeHeartbeat } from "./heartbeats.ts";
import { hearAboutRound, startInstruct } from "./instruct.ts";
import { startMeasure } from "./measure.ts";
import { createMatchMetrics } from "./metrics.ts";
import { startPlacement } from "./placement.ts";
import { createPresence } from "./presence.ts";
import { startRelay } from "./relay.ts";
import { startRoster } from "./roster.ts";
import { dropSessionsOf, writeLive } from "./sessionStore.ts";
import { type Session, type SessionMessage, serveSessions } from "./sessions.ts";

export type MatchOptions = {
  context: ServiceContext;
  env: Pick<
    MatchEnv,
    "DATABASE_URL" | "PUBLIC_URL" | "PROBE_IMAGE" | "PROBE_PORTS" | "INSTANCE" | "LOSS_SECONDS" | "LOSS_SHARE"
  >;
  deployment: Deployment;
  pool: Database;
  redis: Redis;
  sender: Sender;
  registry: Registry;
  server: Server;
  fleetNow: () => Promise<IndexedFleet>;
};

/** Wires the parts of match. `notice` is to be called with every notification from Postgres. */
export async function startMatch(
  options: MatchOptions,
): Promise<{ notice: (channel: string, payload: string | undefined) => void }> {
  const { context, env, deployment, pool, redis, sender, server, fleetNow } = options;
  const metrics = createMatchMetrics(options.registry);
  const databaseUrl = env.DATABASE_URL;
  // Several heartbeats a slot, so that one that gets lost costs nothing.
  const heartbeatSeconds = Math.max(1, Math.min(10, Math.floor(deployment.parameters.slotSeconds / 3)));
  await dropSessionsOf(pool, env.INSTANCE);

  const presence = createPresence({ redis, deployment });
  const shared = { context, pool, deployment, sender, metrics, databaseUrl };
  const relay = startRelay({ ...shared, instance: env.INSTANCE });
  const hear = async (session: Session, message: SessionMessage) => {
    if (message.type === "relay") return relay.submit(session, message);
    if (message.type === "probeReady" || message.type === "probeFailed" || message.type === "measureFailed") {
      return hearAboutRound(pool, session, message);
    }
    if (session.role !== "node") {
      throw new InputError(`A measurer does not send ${message.type}.`, { code: "message_unexpected" });
    }
    if (message.type === "heartbeat")
      return takeHeartbeat({ context, presence, deployment }, session, message);
    if (session.subjectId !== null) await writeLive(pool, session.subjectId, message);
  };
  const sessions = serveSessions({
    ...{ server, pool, deployment, logger: context.logger, metrics, heartbeatSeconds },
    instance: env.INSTANCE,
    audience: env.PUBLIC_URL,
    onOpen: () => instruct.wake(),
    onMessage: hear,
  });
  context.onStop("sessions", () => sessions.stop());
  const roster = startRoster({ context, pool, sessions, metrics, heartbeatSeconds });
  const instruct = startInstruct({ context, pool, sessions, probeImage: env.PROBE_IMAGE });
  const placement = startPlacement({ context, pool, redis, answers: metrics.answers, fleetNow });
  startHeartbeats({ ...shared, presence });
  const measure = startMeasure({ ...shared, ports: env.PROBE_PORTS });
  const failover = startFailover({
    ...shared,
    lossSeconds: env.LOSS_SECONDS,
    lossShare: env.LOSS_SHARE,
  });
  return {
    notice(channel, payload) {
      if (channel === chainChannel || payload === undefined) {
        for (const part of [roster, measure, failover, relay]) part.wake();
        return;
      }
      if (payload === "relay") relay.wake();
      if (payload === "placement") placement.wake();
      if (payload === "measure_round" || payload === "session") {
        instruct.wake();
        measure.wake();
      }
      if (payload === "session") roster.wake();
    },
  };
}
