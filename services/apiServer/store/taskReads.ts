import type { Queryable } from "@ngpu/db/pool";
import type { RawResult } from "../taskResult.ts";
import { queuePosition } from "./taskQueue.ts";
import type { TaskEnd } from "./tasks.ts";

export type TaskRow = {
  id: string;
  wallet: string;
  workspace_id: string;
  kind: "task" | "chat";
  status: "queued" | "running" | TaskEnd["status"];
  node_id: number | null;
  http_status: number | null;
  result: unknown;
  error_code: string | null;
  error_message: string | null;
  error_hint: string | null;
  created_at: Date;
  finished_at: Date | null;
  duration_ms: number | null;
  /** How long it waited for a replica, in milliseconds. Null: one took it at once. */
  cold_start_ms: number | null;
  /** Place among the tasks that wait for a replica of the workspace. Null: it does not wait. */
  queue_position: number | null;
  wait_until: Date | null;
  /** Whether the batch of its receipt is on the chain. */
  has_receipt: boolean;
};

const heads = `id, wallet, workspace_id::text, kind, status, node_id::float8 as node_id, http_status, error_code, error_message, error_hint,
  created_at, finished_at, duration_ms, cold_start_ms, wait_until, ${queuePosition} as queue_position,
  exists (select from app.receipt join chain.event_receipts_committed using (root) where task_id = task.id) as has_receipt`;

/** A task's response as it was received; undefined when none is stored. */
export async function findResult(db: Queryable, wallet: string, id: string): Promise<RawResult | undefined> {
  const { rows } = await db.query<{
    body: Buffer;
    content_type: string | null;
    content_encoding: string | null;
  }>(
    `select body, content_type, content_encoding from app.task_result join app.task on id = task_id
     where wallet = $1 and id = $2`,
    [wallet, id],
  );
  const [row] = rows;
  return row === undefined
    ? undefined
    : {
        bytes: row.body,
        contentType: row.content_type ?? undefined,
        contentEncoding: row.content_encoding ?? undefined,
      };
}

export function findTask(db: Queryable, wallet: string, id: string): Promise<TaskRow | undefined> {
  return findTaskBy("id", db, wallet, id);
}

export function findTaskByKey(db: Queryable, wallet: string, key: string): Promise<TaskRow | undefined> {
  return findTaskBy("idempotency_key", db, wallet, key);
}

async function findTaskBy(
  column: "id" | "idempotency_key",
  db: Queryable,
  wallet: string,
  value: string,
): Promise<TaskRow | undefined> {
  const { rows } = await db.query<TaskRow>(
    `select ${heads}, result from app.task where wallet = $1 and ${column} = $2`,
    [wallet, value],
  );
  return rows[0];
}

/** The wallet's tasks without their results, newest first; only those before `after`. */
export async function listTasks(
  db: Queryable,
  wallet: string,
  filter: { limit: number; after: string | undefined; workspaceId: string | undefined },
): Promise<TaskRow[]> {
  const { rows } = await db.query<TaskRow>(
    `select ${heads}, null as result from app.task
     where wallet = $1 and ($2::numeric is null or workspace_id = $2::numeric)
       and ($3::uuid is null or (created_at, id) < (select created_at, id from app.task where id = $3 and wallet = $1))
     order by created_at desc, id desc limit $4`,
    [wallet, filter.workspaceId ?? null, filter.after ?? null, filter.limit],
  );
  return rows;
}
