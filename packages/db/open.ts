import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Redis } from "ioredis";
import { createPool, type Database } from "./pool.ts";
import { connectRedis, requireRedis } from "./queue.ts";
import { requireSchema } from "./schema.ts";

/**
 * Opens the pool of a service, which ends with the service, on a database that its code can use.
 *
 * @throws FatalError as requireSchema
 */
export async function openPool(
  context: Pick<ServiceContext, "onStop">,
  options: Parameters<typeof createPool>[0],
): Promise<Database> {
  const pool = createPool(options);
  context.onStop("postgres", () => pool.end());
  await requireSchema(pool);
  return pool;
}

/**
 * Opens a connection for queues, which ends with the service.
 *
 * @throws FatalError `redis_unreachable`
 */
export async function openRedis(context: Pick<ServiceContext, "onStop">, url: string): Promise<Redis> {
  await requireRedis(url);
  const redis = connectRedis(url);
  context.onStop("redis", () => redis.disconnect());
  return redis;
}
