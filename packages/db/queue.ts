import { FatalError, messageOf } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

/** Every queue of the market. A job carries ids only and is safe to run twice. */
export const queues = {
  /** `{ workspaceId }`: bring one workspace towards what its owner wants. */
  workspace: "workspace",
  /** `{ workspaceId }`: find nodes for the replicas of a workspace that have none and assign them. */
  dispense: "dispense",
  /** `{ requestId }`: answer a placement request. */
  placement: "placement",
} as const;

export type QueueName = (typeof queues)[keyof typeof queues];

/** A connection that BullMQ may block on; it keeps trying while Redis is away. */
export function connectRedis(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null, enableReadyCheck: true });
}

/**
 * Asks Redis once whether it is there.
 *
 * @throws Error with what went wrong at the connection, which says more than what connecting throws.
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
 * Checks at start that Redis answers; later it may go away and come back.
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
 * Puts a job in a queue; the job's id is made of the ids it carries, so a second one waiting for the same thing is dropped.
 * The queue's name stands in front because BullMQ refuses an id that is a whole number.
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

/** Serves a queue until the service stops; a job under way is let finish. */
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
