import type { Database } from "@ngpu/db/pool";
import type { WebhookSecrets } from "@ngpu/protocol/webhooks";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { decideNext, failuresUntilProbing, type Next, type Outcome, type RetryRules } from "./decide.ts";
import type { WebhooksMetrics } from "./metrics.ts";
import type { Poster } from "./post.ts";
import { signedHeaders } from "./sign.ts";
import { type Claim, claimDue, type Endpoint, findEndpoint, recordAttempt } from "./store.ts";

export type DeliverDeps = {
  db: Database;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  secrets: WebhookSecrets;
  poster: Poster;
  rules: RetryRules;
  metrics: WebhooksMetrics;
  logger: Logger;
  signal: AbortSignal;
  /** Deliveries of which this process makes an attempt. */
  active: Set<bigint>;
};

/** Attempts at one endpoint at the same time. */
const perEndpoint = 4;
/** Deliveries claimed at once. What a process has claimed waits when it is killed. */
const claimed = 16;
/** Claims of one job. After them the endpoint queues again, behind the others. */
const claimsPerJob = 8;

/** Creates the handler of the queues: makes the due attempts of an endpoint. Safe to run repeatedly, and on several instances. */
export function createDeliverer(deps: DeliverDeps): (ids: Record<string, string>) => Promise<void> {
  return async ({ endpointId = "" }) => {
    for (let claim = 0; claim < claimsPerJob && !deps.signal.aborted; claim++) {
      const endpoint = await findEndpoint(deps.db, endpointId);
      if (endpoint === undefined) return;
      const limit = endpoint.failures >= failuresUntilProbing ? 1 : claimed;
      const due = await claimDue(deps.db, { endpointId, runner: deps.runner, limit });
      for (const { id } of due) deps.active.add(id);
      if (due.length === 0) return;
      await attemptAll(deps, endpoint, due);
    }
  };
}

async function attemptAll(deps: DeliverDeps, endpoint: Endpoint, due: readonly Claim[]): Promise<void> {
  const waiting = [...due];
  // Failures of this batch count, so that a receiver that fails gets fewer requests at once.
  const state = { failures: endpoint.failures };
  const work = async () => {
    for (let claim = waiting.shift(); claim !== undefined && !deps.signal.aborted; claim = waiting.shift()) {
      await attempt(deps, { ...endpoint, ...state }, claim, state);
    }
  };
  await Promise.all(Array.from({ length: perEndpoint }, work));
}

async function attempt(
  deps: DeliverDeps,
  endpoint: Endpoint,
  claim: Claim,
  state: { failures: number },
): Promise<void> {
  const at = new Date();
  const secrets = endpoint.secrets.map((version) => deps.secrets.secretOf(version));
  const headers = signedHeaders({ id: claim.eventId, body: claim.body }, secrets, at);
  const outcome = await deps.poster.post({ url: endpoint.url, headers, body: claim.body });
  const next = decideNext(outcome, {
    ...{ attempt: claim.attempts + 1, failures: state.failures, remaining: claim.remaining },
    ...{ jitter: Math.random(), rules: deps.rules },
  });
  state.failures = outcome.error === undefined ? 0 : state.failures + 1;
  deps.metrics.attempts.inc({ result: outcome.error ?? "delivered" });
  await record(deps, { deliveryId: claim.id, at, outcome, next });
}

type Ended = { deliveryId: bigint; at: Date; outcome: Outcome; next: Next };

/** Records an attempt, however long Postgres is away: what is not recorded is sent again. */
async function record(deps: DeliverDeps, ended: Ended): Promise<void> {
  const { db, runner, active, logger, signal } = deps;
  const of = { deliveryId: ended.deliveryId, runner, at: ended.at };
  for (;;) {
    try {
      await recordAttempt(db, of, ended.outcome, ended.next);
      active.delete(ended.deliveryId);
      return;
    } catch (error) {
      logger.warn({ event: "webhook_attempt_not_recorded", deliveryId: ended.deliveryId, error });
      if (signal.aborted) throw error;
      await rest(200, signal);
    }
  }
}
