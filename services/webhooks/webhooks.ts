import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { openPool, openRedis } from "@ngpu/db/open";
import type { Database } from "@ngpu/db/pool";
import { enqueue, openQueue, queues, serveQueue } from "@ngpu/db/queue";
import { holdRunnerLock } from "@ngpu/db/runnerLock";
import { queueHealth } from "@ngpu/db/workspaceQueue";
import { createWebhookSecrets, type WebhookSecrets } from "@ngpu/protocol/webhooks";
import { createApp, listen } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import type { Redis } from "ioredis";
import { createDeliverer } from "./deliver.ts";
import type { WebhooksSettings } from "./env.ts";
import { createMetrics, type WebhooksMetrics } from "./metrics.ts";
import { createPoster } from "./post.ts";
import { recordEvents } from "./record.ts";
import { createRecorder } from "./recorder.ts";
import { findKeyIds, releaseClaims } from "./store.ts";
import { createSweep, tidy } from "./sweep.ts";

/** Endpoints handled at the same time: those that answer, and those whose last attempts failed. Each mostly waits for its receiver. */
const concurrency = { answering: 128, failing: 32 };
/** Seconds. */
const longestPause = 6 * 3_600;
const tidyInterval = 60_000;
/** Milliseconds. */
const claimsInterval = 2_000;
const longestTurn = 5_000;

/**
 * Starts webhooks: records events, and sends them to the endpoints of their partners.
 *
 * @returns The URL it listens on.
 */
export async function startWebhooks(
  settings: WebhooksSettings,
  context: ServiceContext,
): Promise<{ url: string }> {
  const db = await openPool(context, { url: settings.DATABASE_URL, name: "webhooks", max: 20 });
  const redis = await openRedis(context, settings.REDIS_URL);
  const secrets = createWebhookSecrets(settings.WEBHOOK_KEYS as [string, ...string[]]);
  await requireKeys(db, secrets);
  const runner = await holdRunnerLock({ url: settings.DATABASE_URL, name: "webhooks claims" }, context);
  const registry = createRegistry("webhooks");
  const metrics = createMetrics(registry);
  const active = new Set<bigint>();
  serveDeliveries(settings, context, { db, redis, secrets, runner, metrics, active });
  startLoops(settings, context, { db, redis, runner, metrics, active });
  const app = createApp({ health: queueHealth(db, redis), registry });
  return listen(app, { host: settings.HOST, port: settings.PORT }, context);
}

/** @throws FatalError `webhook_key_missing` */
async function requireKeys(db: Database, secrets: WebhookSecrets): Promise<void> {
  for (const keyId of await findKeyIds(db)) {
    if (!secrets.knows(keyId)) secrets.secretOf({ endpointId: "", version: 0, keyId });
  }
}

type Parts = {
  db: Database;
  redis: Redis;
  runner: bigint;
  metrics: WebhooksMetrics;
  active: Set<bigint>;
};

function serveDeliveries(
  settings: WebhooksSettings,
  context: ServiceContext,
  parts: Parts & { secrets: WebhookSecrets },
): void {
  const { redis, ...own } = parts;
  const poster = createPoster({ privateAddresses: settings.PRIVATE_ADDRESSES });
  context.onStop("connections to receivers", () => poster.close());
  const rules = { first: settings.RETRY_SECONDS, longest: longestPause };
  const { logger, signal } = context;
  const recorder = createRecorder({ ...own, logger });
  const deliver = createDeliverer({ ...own, poster, recorder, rules, signal });
  serveQueue(queues.webhook, redis, context, deliver, concurrency.answering);
  serveQueue(queues.webhookRetry, redis, context, deliver, concurrency.failing);
}

/**
 * The number of the current turn. An endpoint is queued once a turn: the job of a process that was killed counts as active until its
 * lock ends, and must not keep the endpoint waiting.
 */
const turnOf = (interval: number) => String(Math.floor(Date.now() / Math.min(longestTurn, 5 * interval)));

/** Starts the loops that record events and queue due endpoints; each also runs when something may have happened. */
function startLoops(settings: WebhooksSettings, context: ServiceContext, parts: Parts): void {
  const { logger, signal } = context;
  const { db, redis, runner, metrics, active } = parts;
  const interval = settings.SWEEP_SECONDS * 1000;
  const queue = {
    answering: openQueue(queues.webhook, redis, context),
    failing: openQueue(queues.webhookRetry, redis, context),
  };
  const loop = (name: string, every: number, round: () => Promise<void>): Loop => {
    const started = startLoop({ name, logger, signal, interval: every }, round);
    context.onStop(name, () => started.done);
    return started;
  };
  const sweep = loop(
    "webhook sweep",
    interval,
    createSweep(db, async ({ id, isFailing }) =>
      enqueue(isFailing ? queue.failing : queue.answering, { endpointId: id, turn: turnOf(interval) }),
    ),
  );
  const recording = loop("webhook events", interval, async () => {
    const recorded = await recordEvents(db, settings.RETRY_HOURS);
    for (const type of recorded) metrics.events.inc({ type });
    if (recorded.length > 0) sweep.wake();
  });
  loop("webhook claims", claimsInterval, async () => {
    const released = await releaseClaims(db, runner, active);
    if (released > 0) logger.info({ event: "webhook_claims_released", released });
  });
  loop("webhook tidy", tidyInterval, () => tidy(db, settings.RETRY_HOURS, logger));
  const onNotice = () => recording.wake();
  listenForChanges({ url: settings.DATABASE_URL, channels: [chainChannel], logger, signal, onNotice });
}
