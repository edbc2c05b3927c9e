import type { Health } from "@ngpu/runtime/http";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Queryable } from "./pool.ts";
import { enqueue } from "./queue.ts";

/** Adds a workspace to a queue whose jobs carry a workspace id. */
export function enqueueWorkspace(queue: Queue, workspaceId: bigint): Promise<void> {
  return enqueue(queue, { workspaceId: String(workspaceId) });
}

/** The job handler of such a queue. */
export function handleWorkspaces(
  handle: (workspaceId: bigint) => Promise<void>,
): (ids: Record<string, string>) => Promise<void> {
  return (ids) => handle(BigInt(ids.workspaceId ?? ""));
}

/** The health check of a service with a queue: Postgres responds and Redis is connected. */
export function queueHealth(db: Queryable, redis: Pick<Redis, "status">): () => Promise<Health> {
  return async () => {
    await db.query("select 1");
    return { ok: redis.status === "ready", details: { redis: redis.status } };
  };
}
