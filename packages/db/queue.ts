import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/** All queues. A job carries only ids and is safe to run repeatedly. */
export const queues = {
  /** `{ workspaceId }`: reconcile one workspace with its desired state. */
  workspace: "workspace",
  /** `{ workspaceId }`: find and assign nodes for the replicas of a workspace that have none. */
  dispense: "dispense",
  /** `{ requestId }`: decide a placement request. */
  placement: "placement",
} as const;

export type QueueName = (typeof queues)[keyof typeof queues];

/** A connection for BullMQ, which issues blocking commands. It reconnects without limit while Redis is unavailable. */
export function connectRedis(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null, enableReadyCheck: true });
}

/**
 * Connects to Redis and sends one ping.
 *
 * @throws Error The connection's own error if there is one; it is more specific than the error of `connect`.
 */
export async function pingRedis(url: string, timeoutMs: number): Promise<void> {
  const once = { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 };
  const redis = new Redis(url, { ...once, connectTimeout: timeoutMs, commandTimeout: timeoutMs });
  let failure: unknown;
  redis.on("error", (error) => {
    failure = error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw failure ?? error;
  } finally {
    redis.disconnect();
  }
}

/**
 * Checks at startup that Redis responds. Later outages are handled by reconnection.
 *
 * @throws FatalError `redis_unreachable`
 */
export async function requireRedis(url: string): Promise<void> {
  try {
    await pingRedis(url, 5_000);
  } catch (error) {
    throw new FatalError(`Redis does not answer: ${messageOf(error)}.`, {
      code: "redis_unreachable",
      hint: "Check REDIS_URL and that the server is up.",
      cause: error,
    });
  }
}

/**
 * Adds a job to a queue. The job id consists of the ids that it carries, so a duplicate of a waiting job is dropped.
 * The queue name is a prefix, because BullMQ rejects integer job ids.
 */
export async function enqueue(queue: Queue, ids: Record<string, string>): Promise<void> {
  await queue.add(queue.name, ids, {
    jobId: [queue.name, ...Object.values(ids)].join("-"),
    removeOnComplete: true,
    removeOnFail: true,
    attempts: 5,
    backoff: { type: "exponential", delay: 500 },
  });
}

export function openQueue(name: QueueName, redis: Redis, context: Pick<ServiceContext, "onStop">): Queue {
  const queue = new Queue(name, { connection: redis });
  context.onStop(`queue ${name}`, () => queue.close());
  return queue;
}

/** Processes a queue until the service stops. Running jobs complete first. */
export function serveQueue(
  name: QueueName,
  redis: Redis,
  context: Pick<ServiceContext, "onStop" | "logger">,
  handle: (ids: Record<string, string>, job: Job) => Promise<void>,
  concurrency = 4,
): Worker {
  const worker = new Worker(name, async (job) => handle(job.data as Record<string, string>, job), {
    connection: redis,
    concurrency,
  });
  worker.on("failed", (job, error) =>
    context.logger.warn({ event: "job_failed", queue: name, job: job?.id, error }),
  );
  worker.on("error", (error) => context.logger.warn({ event: "queue_error", queue: name, error }));
  context.onStop(`worker ${name}`, () => worker.close());
  return worker;
}
