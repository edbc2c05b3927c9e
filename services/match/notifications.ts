import { chainChannel } from "@ngpu/db/listen";
import { replacedNotice } from "./sessions/sessionStore.ts";
import type { Sessions } from "./sessions/sessions.ts";

export type Notice = (channel: string, payload: string | undefined) => void;

type Wakeable = { wake(): void };

/** Routes notifications from Postgres to the parts that they concern and that this instance has. */
export function createNotice(parts: {
  sessions?: Sessions | undefined;
  sessionMonitor?: Wakeable | undefined;
  measure?: Wakeable | undefined;
  failover?: Wakeable | undefined;
  offline?: Wakeable | undefined;
  relay?: Wakeable | undefined;
  orderDispatch?: Wakeable | undefined;
  placement?: Wakeable | undefined;
  secretAnswers?: Wakeable | undefined;
  waves?: Wakeable | undefined;
}): Notice {
  const { sessions, sessionMonitor, measure, failover, offline, relay, orderDispatch, placement, waves } =
    parts;
  return (channel, payload) => {
    if (payload?.startsWith(replacedNotice)) {
      sessions?.replaced(payload.slice(replacedNotice.length).split(","));
      return;
    }
    if (channel === chainChannel || payload === undefined) {
      for (const part of [sessionMonitor, measure, failover, offline, relay, waves]) part?.wake();
      if (payload === undefined) parts.secretAnswers?.wake();
      // A round that was requested is an order to its node.
      if (payload === undefined || payload.includes('"measurement"')) orderDispatch?.wake();
      return;
    }
    if (payload === "relay") relay?.wake();
    if (payload === "loss") failover?.wake();
    if (payload === "placement") placement?.wake();
    if (payload === "secret_answer") parts.secretAnswers?.wake();
    if (payload === "prefetch") orderDispatch?.wake();
    if (payload === "wave") {
      orderDispatch?.wake();
      waves?.wake();
    }
    if (payload === "measure_round" || payload === "session") {
      orderDispatch?.wake();
      measure?.wake();
    }
  };
}
