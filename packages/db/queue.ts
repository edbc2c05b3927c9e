import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
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
  /** `{ endpointId, turn }`: make the due attempts of a webhook's endpoint. */
  webhook: "webhook",
  /** `{ endpointId, turn }`: the same, for an endpoint whose last attempts failed. */
  webhookRetry: "webhookRetry",
} as const;

export type QueueName = (typeof queues)[keyof typeof queues];

/** Deadlines of Redis, in milliseconds. */
export const redisDeadlines = {
  /** @deadline A connection to Redis. It is opened again, without limit; commands wait for it. */
  connect: 10_000,
  /** @deadline Data from Redis while a command is open. A new connection is opened and the command is sent on it. */
  answer: 20_000,
  /** @deadline Redis to take a job. The caller's round fails and is tried again; the job may still be added, once. */
  enqueue: 30_000,
  /** @deadline Redis at the start of a service. The service stops with `redis_unreachable`. */
  start: 5_000,
};

/**
 * A connection for BullMQ. It reconnects without limit while Redis is unavailable. BullMQ's blocking commands wait at most 10 s, so a
 * connection without data for longer than `answer` is broken.
 */
export function connectRedis(url: string, deadlines: Partial<typeof redisDeadlines> = {}): Redis {
  const { connect, answer } = { ...redisDeadlines, ...deadlines };
  return new Redis(url, {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    connectTimeout: connect,
    socketTimeout: answer,
  });
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
    await pingRedis(url, redisDeadlines.start);
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
 *
 * @throws RetryableError `redis_unreachable` when Redis does not take it in time. It may still be added later.
 */
export async function enqueue(
  queue: Queue,
  ids: Record<string, string>,
  deadline = redisDeadlines.enqueue,
): Promise<void> {
  const added = queue.add(queue.name, ids, {
    jobId: [queue.name, ...Object.values(ids)].join("-"),
    removeOnComplete: true,
    removeOnFail: true,
    attempts: 5,
    backoff: { type: "exponential", delay: 500 },
  });
  const late = Promise.withResolvers<never>();
  using _timer = setTimeout(() => late.reject(silentRedis()), deadline);
  // A failure after the deadline has been reported already.
  added.catch(() => undefined);
  await Promise.race([added, late.promise]);
}

function silentRedis(): RetryableError {
  return new RetryableError("Redis does not answer.", {
    code: "redis_unreachable",
    hint: "Check REDIS_URL and that the server is up. The work is tried again.",
  });
}

export function openQueue(
  name: QueueName,
  redis: Redis,
  context: Pick<ServiceContext, "onStop" | "logger">,
): Queue {
  const queue = new Queue(name, { connection: redis });
  queue.on("error", (error) => context.logger.warn({ event: "queue_error", queue: name, error }));
  context.onStop(`queue ${name}`, () => queue.close());
  return queue;
}

/** Milliseconds. A process that was killed holds its jobs for at most the sum: then another handles them. */
const jobLock = {
  /** @deadline A worker to renew the lock of its job. The job counts as abandoned. */
  renewal: 10_000,
  /** Interval of looking for abandoned jobs. */
  check: 5_000,
};

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
    lockDuration: jobLock.renewal,
    stalledInterval: jobLock.check,
  });
  worker.on("failed", (job, error) =>
    context.logger.warn({ event: "job_failed", queue: name, job: job?.id, error }),
  );
  worker.on("error", (error) => context.logger.warn({ event: "queue_error", queue: name, error }));
  context.onStop(`worker ${name}`, () => worker.close());
  return worker;
}
