import type { Database } from "@ngpu/db/pool";
import type { WebhookSecrets } from "@ngpu/protocol/webhooks";
import { decideNext, failuresUntilProbing, type Outcome, type RetryRules } from "./decide.ts";
import type { WebhooksMetrics } from "./metrics.ts";
import type { Poster } from "./post.ts";
import type { Recorder } from "./recorder.ts";
import { signedHeaders } from "./sign.ts";
import { type Claim, claimDue, type Endpoint, findEndpoint, returnClaims } from "./store.ts";

export type DeliverDeps = {
  db: Database;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  secrets: WebhookSecrets;
  poster: Poster;
  rules: RetryRules;
  recorder: Recorder;
  metrics: WebhooksMetrics;
  signal: AbortSignal;
  /** Deliveries of which this process makes an attempt. */
  active: Set<bigint>;
};

/** Most attempts of one process at one endpoint at the same time. */
const mostLanes = 8;
/** Milliseconds of a receiver's average answer for each further lane: what is in progress when a process is killed is sent again. */
const answerPerLane = 100;
/** Deliveries of an endpoint that are claimed at once. What a process has claimed waits when it is killed. */
const claimed = 16;
/** Claims of one job. After them the endpoint queues again, behind the others. */
const claimsPerJob = 8;

/** Creates the handler of the queues: makes the due attempts of an endpoint. Safe to run repeatedly, and on several instances. */
export function createDeliverer(deps: DeliverDeps): (ids: Record<string, string>) => Promise<void> {
  const handled = new Set<string>();
  return async ({ endpointId = "" }) => {
    if (handled.has(endpointId)) return;
    handled.add(endpointId);
    try {
      await deliver(deps, endpointId);
    } finally {
      handled.delete(endpointId);
    }
  };
}

async function deliver(deps: DeliverDeps, endpointId: string): Promise<void> {
  let lanes = 1;
  for (let claim = 0; claim < claimsPerJob && !deps.signal.aborted; claim++) {
    const endpoint = await findEndpoint(deps.db, endpointId);
    if (endpoint === undefined) return;
    const limit = endpoint.failures >= failuresUntilProbing ? 1 : claimed;
    const due = await claimDue(deps.db, { endpointId, runner: deps.runner, limit });
    for (const { id } of due) deps.active.add(id);
    if (due.length === 0) return;
    const meanMs = await attemptAll(deps, endpoint, due, lanes);
    lanes = Math.min(mostLanes, 1 + Math.floor(meanMs / answerPerLane));
  }
}

/** @returns How long an answer took on average, in milliseconds. */
async function attemptAll(
  deps: DeliverDeps,
  endpoint: Endpoint,
  due: readonly Claim[],
  lanes: number,
): Promise<number> {
  const waiting = [...due];
  let [answers, totalMs] = [0, 0];
  // Failures of this batch count, so that a receiver that fails gets fewer requests at once.
  const state = { failures: endpoint.failures };
  const mayGoOn = () =>
    !deps.signal.aborted && state.failures < Math.max(failuresUntilProbing, endpoint.failures + 1);
  const work = async () => {
    while (mayGoOn()) {
      const claim = waiting.shift();
      if (claim === undefined) return;
      const { durationMs } = await attempt(deps, endpoint, claim, state);
      answers += 1;
      totalMs += durationMs;
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  await returnClaims(
    deps.db,
    deps.runner,
    waiting.map(({ id }) => id),
  );
  for (const { id } of waiting) deps.active.delete(id);
  return answers === 0 ? 0 : totalMs / answers;
}

async function attempt(
  deps: DeliverDeps,
  endpoint: Endpoint,
  claim: Claim,
  state: { failures: number },
): Promise<Outcome> {
  const at = new Date();
  const secrets = endpoint.secrets.map((version) => deps.secrets.secretOf(version));
  const headers = signedHeaders({ id: claim.eventId, body: claim.body }, secrets, at);
  const outcome = await deps.poster.post({ url: endpoint.url, headers, body: claim.body });
  const next = decideNext(outcome, {
    attempt: claim.attempts + 1,
    failures: state.failures,
    remaining: claim.remaining,
    jitter: Math.random(),
    rules: deps.rules,
  });
  state.failures = outcome.error === undefined ? 0 : state.failures + 1;
  deps.metrics.attempts.inc({ result: outcome.error ?? "delivered" });
  await deps.recorder.record({ deliveryId: claim.id, at, outcome, next });
  deps.active.delete(claim.id);
  return outcome;
}
