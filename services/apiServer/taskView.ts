import type { Database } from "@ngpu/db/pool";
import { InputError } from "@ngpu/runtime/errors";
import { findTask, type TaskRow } from "./store/taskReads.ts";

/** @throws InputError `task_not_found` (404). */
export async function requireTask(db: Database, wallet: string, id: string): Promise<TaskRow> {
  const task = await findTask(db, wallet, id);
  if (task !== undefined) return task;
  throw new InputError(`You have no task ${id}.`, {
    code: "task_not_found",
    hint: "GET /v1/tasks lists your tasks.",
    status: 404,
  });
}

/** A task as the API shows it. */
export function taskOf(row: TaskRow) {
  return {
    id: row.id,
    status: row.status,
    workspaceId: row.workspace_id,
    kind: row.kind,
    queue:
      row.queue_position === null || row.wait_until === null
        ? null
        : { position: row.queue_position, until: row.wait_until.toISOString() },
    nodeId: row.node_id,
    ms: row.duration_ms,
    coldStartMs: row.cold_start_ms,
    httpStatus: row.http_status,
    result: row.result ?? null,
    error:
      row.error_code === null
        ? null
        : { code: row.error_code, message: row.error_message ?? "", hint: row.error_hint },
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
    hasReceipt: row.has_receipt,
  };
}
