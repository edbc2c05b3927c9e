import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import type { MatchMetrics } from "../metrics.ts";
import { handlePrefetchResult } from "../prefetch/prefetch.ts";
import type { Heartbeat } from "../presence/acknowledgeHeartbeats.ts";
import type { Relay } from "../relay/relayBatches.ts";
import { takeReveal } from "../waves/takeReveal.ts";
import { handleRoundResult } from "./orderDispatch.ts";
import { storeSecretRequest } from "./secretRequests.ts";
import type { Session, SessionHandlers, SessionMessage } from "./session.ts";
import { writeLive } from "./sessionStore.ts";

/** Routes the messages of open sessions to the parts that handle them. */
export function createMessageRouter(parts: {
  pool: Database;
  deployment: Deployment;
  metrics: MatchMetrics;
  relay: Relay;
  acknowledge: (session: Session, heartbeat: Heartbeat) => void;
  reportReason: (session: Session, reason: Extract<SessionMessage, { type: "reason" }>) => Promise<void>;
}): SessionHandlers["onMessage"] {
  const { pool, deployment, metrics, relay, acknowledge, reportReason } = parts;
  return async (session, message) => {
    if (message.type === "relay") return relay.submit(session, message);
    if (message.type === "probeReady" || message.type === "probeFailed" || message.type === "measureFailed") {
      return handleRoundResult(pool, session, message);
    }
    if (message.type === "waveReveal") return takeReveal({ pool, deployment }, session, message);
    if (message.type === "prefetched") return handlePrefetchResult({ pool, metrics }, session, message);
    if (session.role !== "node") {
      throw new InputError(`A measurer must not send ${message.type}.`, {
        code: "message_forbidden",
        hint: "Update the client, or connect with the role that sends this message.",
      });
    }
    if (message.type === "heartbeat") return acknowledge(session, message);
    if (message.type === "reason") return reportReason(session, message);
    if (message.type === "secrets") return storeSecretRequest(pool, session, message);
    if (session.subjectId !== null) await writeLive(pool, session.subjectId, message);
  };
}
