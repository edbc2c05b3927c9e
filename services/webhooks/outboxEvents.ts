import type { Connection } from "@ngpu/db/pool";
import { type ReasonCode, reasonText } from "@ngpu/protocol/reasons/reasons";
import type { WebhookEventType } from "@ngpu/protocol/webhooks";
import type { Happening } from "./happening.ts";

type TaskRow = {
  id: string;
  wallet: string;
  workspace_id: string;
  kind: string;
  status: string;
  node_id: number | null;
  http_status: number | null;
  error_code: string | null;
  error_message: string | null;
  error_hint: string | null;
  created_at: Date;
  finished_at: Date | null;
  duration_ms: number | null;
  cold_start_ms: number | null;
};

/** A row of app.workspace_event, as JSON. */
type ReasonRow = {
  id: number;
  workspace_id: number;
  replica: number;
  lease: number;
  node_id: number | null;
  source: string;
  code: ReasonCode;
  details: Record<string, unknown>;
};

/** A row of app.batch that has ended. */
type BatchRow = {
  id: string;
  wallet: string;
  endpoint: string;
  status: "completed" | "failed" | "expired" | "cancelled";
  input_file_id: string;
  output_file_id: string | null;
  error_file_id: string | null;
  total: number;
  completed: number;
  failed: number;
  metadata: Record<string, string> | null;
};

type OutboxRow = {
  outboxId: bigint;
  at: Date;
  reason: ReasonRow | null;
  owner: string | null;
  batch: BatchRow | null;
} & {
  [Key in keyof TaskRow]: TaskRow[Key] | null;
};

/** Takes rows out of the outbox, in the caller's transaction. */
export async function outboxEvents(
  db: Connection,
  limit: number,
): Promise<{ happenings: Happening[]; more: boolean }> {
  const { rows } = await db.query<OutboxRow>(
    `with taken as (
       delete from app.webhook_outbox where id in (select id from app.webhook_outbox order by id limit $1)
       returning id, task_id, reason, batch_id, at
     )
     select taken.id as "outboxId", taken.at, taken.reason,
       (select owner from chain.workspace where workspace_id = (taken.reason ->> 'workspace_id')::int8) as owner,
       task.id, task.wallet, task.workspace_id::text, task.kind, task.status, task.node_id::float8 as node_id, task.http_status,
       task.error_code, task.error_message, task.error_hint, task.created_at, task.finished_at, task.duration_ms,
       task.cold_start_ms, to_jsonb(batch) as batch
     from taken left join app.batch as batch on batch.id = taken.batch_id left join app.task as task on task.id = taken.task_id
     where taken.reason is null or exists (
       select from app.webhook_audience as audience join chain.workspace as workspace on workspace.owner = audience.wallet
       where workspace.workspace_id = (taken.reason ->> 'workspace_id')::int8 and audience.until > now())
     order by taken.id`,
    [limit],
  );
  return { happenings: rows.flatMap(happeningOf), more: rows.length === limit };
}

function happeningOf(row: OutboxRow): Happening[] {
  if (row.reason !== null) return row.owner === null ? [] : [reasonEvent(row.reason, row.owner, row.at)];
  if (row.batch !== null) return [batchEvent(row.batch, row.at)];
  // A task that was deleted meanwhile has no event.
  return row.id === null ? [] : [taskEvent(row as TaskRow & { at: Date })];
}

/** The event of a task's end. Its result is read with GET /v1/tasks/{id}. */
export function taskEvent(row: TaskRow & { at: Date }): Happening {
  const { id, wallet } = row;
  const error =
    row.error_code === null
      ? null
      : { code: row.error_code, message: row.error_message ?? "", hint: row.error_hint };
  const task = {
    id,
    status: row.status,
    workspaceId: row.workspace_id,
    kind: row.kind,
    // It has ended, so it does not wait.
    queue: null,
    nodeId: row.node_id,
    ms: row.duration_ms,
    coldStartMs: row.cold_start_ms,
    httpStatus: row.http_status,
    error,
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    // Receipts are committed in batches, later.
    hasReceipt: false,
  };
  const at = row.finished_at ?? row.at;
  return { wallet, at, type: taskEventType(row), data: { task }, sourceKey: `task ${id}` };
}

/** The event of a batch's end. `data.id` is where OpenAI's events have it. */
function batchEvent(row: BatchRow, at: Date): Happening {
  const { id, wallet, endpoint, status, input_file_id, output_file_id, error_file_id, metadata } = row;
  const { total, completed, failed } = row;
  const batch = {
    id,
    endpoint,
    status,
    input_file_id,
    output_file_id,
    error_file_id,
    request_counts: { total, completed, failed },
    metadata,
  };
  return { wallet, at, type: `batch.${status}`, data: { id, batch }, sourceKey: `batch ${id}` };
}

function taskEventType({
  status,
  error_code: code,
}: Pick<TaskRow, "status" | "error_code">): WebhookEventType {
  if (status === "succeeded") return "task.succeeded";
  if (status === "aborted") return code === "task_cancelled" ? "task.cancelled" : "task.aborted";
  return code === "response_cut" ? "task.cut" : "task.failed";
}

function reasonEvent(row: ReasonRow, wallet: string, at: Date): Happening {
  const { message, hint } = reasonText(row.code);
  const replica = {
    workspaceId: String(row.workspace_id),
    replica: row.replica,
    lease: row.lease === 0 ? null : row.lease,
    nodeId: row.node_id,
    source: row.source,
    code: row.code,
    message,
    hint,
    details: row.details,
  };
  return { wallet, at, type: "replica.blocked", data: { replica }, sourceKey: null };
}
