import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { MatchMetrics } from "../metrics.ts";
import { handlePrefetchResult } from "../prefetch/prefetch.ts";
import type { Heartbeat } from "../presence/acknowledgeHeartbeats.ts";
import type { Relay } from "../relay/relayBatches.ts";
import { handleRoundResult } from "./orderDispatch.ts";
import type { Session, SessionHandlers } from "./session.ts";
import { writeLive } from "./sessionStore.ts";

/** Takes each message of an open session to the part that it is for. */
export function createHearing(parts: {
  pool: Database;
  metrics: MatchMetrics;
  relay: Relay;
  acknowledge: (session: Session, heartbeat: Heartbeat) => void;
}): SessionHandlers["onMessage"] {
  const { pool, metrics, relay, acknowledge } = parts;
  return async (session, message) => {
    if (message.type === "relay") return relay.submit(session, message);
    if (message.type === "probeReady" || message.type === "probeFailed" || message.type === "measureFailed") {
      return handleRoundResult(pool, session, message);
    }
    if (message.type === "prefetched") return handlePrefetchResult({ pool, metrics }, session, message);
    if (session.role !== "node") {
      throw new InputError(`A measurer does not send ${message.type}.`, { code: "message_unexpected" });
    }
    if (message.type === "heartbeat") return acknowledge(session, message);
    if (session.subjectId !== null) await writeLive(pool, session.subjectId, message);
  };
}
