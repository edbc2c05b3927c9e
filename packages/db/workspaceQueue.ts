import type { Health } from "@ngpu/runtime/http";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Queryable } from "./pool.ts";
import { enqueue } from "./queue.ts";

/** Puts a workspace in a queue whose jobs are workspaces. */
export function enqueueWorkspace(queue: Queue, workspaceId: bigint): Promise<void> {
  return enqueue(queue, { workspaceId: String(workspaceId) });
}

/** Makes the handler of such a queue. */
export function handleWorkspaces(
  handle: (workspaceId: bigint) => Promise<void>,
): (ids: Record<string, string>) => Promise<void> {
  return (ids) => handle(BigInt(ids.workspaceId ?? ""));
}

/** The health of a service that serves a queue: Postgres answers and Redis is connected. */
export function queueHealth(db: Queryable, redis: Pick<Redis, "status">): () => Promise<Health> {
  return async () => {
    await db.query("select 1");
    return { ok: redis.status === "ready", details: { redis: redis.status } };
  };
}
