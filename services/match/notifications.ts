import { chainChannel } from "@ngpu/db/listen";
import { replacedNotice } from "./sessions/sessionStore.ts";
import type { Sessions } from "./sessions/sessions.ts";

export type Notice = (channel: string, payload: string | undefined) => void;

type Woken = { wake(): void };

/** Wakes the parts that a notification from Postgres concerns. */
export function createNotice(parts: {
  sessions: Sessions;
  sessionMonitor: Woken;
  measure: Woken;
  failover: Woken;
  relay: Woken;
  instruct: Woken;
  placement: Woken;
}): Notice {
  const { sessions, sessionMonitor, measure, failover, relay, instruct, placement } = parts;
  return (channel, payload) => {
    if (payload?.startsWith(replacedNotice)) {
      sessions.replaced(payload.slice(replacedNotice.length).split(","));
      return;
    }
    if (channel === chainChannel || payload === undefined) {
      for (const part of [sessionMonitor, measure, failover, relay]) part.wake();
      return;
    }
    if (payload === "relay") relay.wake();
    if (payload === "placement") placement.wake();
    if (payload === "prefetch") instruct.wake();
    if (payload === "measure_round" || payload === "session") {
      instruct.wake();
      measure.wake();
    }
  };
}
