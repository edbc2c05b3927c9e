import type { Queryable } from "@ngpu/db/pool";
import { resultHashOf } from "@ngpu/protocol/taskReceiptTree";
import { toJson } from "@ngpu/runtime/json";
import { inputTextOf, type NewTask, type TaskEnd, type TaskTimes } from "./tasks.ts";

/** A task that runs from its beginning, and its end if it has one. `age`: milliseconds since it began. */
export type TaskRecord = {
  task: Omit<NewTask, "idempotencyKey" | "waitSeconds">;
  age: number;
  end: TaskEnd | undefined;
};

const insertRecords = `with given as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
      $10::float8[], $11::text[], $12::bigint[], $13::integer[], $14::bigint[], $15::integer[], $16::text[], $17::text[], $18::text[],
      $19::text[], $20::integer[], $21::text[], $22::bytea[], $23::text[], $24::text[])
      as record (id, wallet, key_id, workspace_id, kind, method, path, input, runner, age, status, node_id, replica, lease, http_status,
        result, error_code, error_message, error_hint, duration_ms, result_hash, body, content_type, content_encoding)
  ), stored as (
    insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, input, runner, created_at, started_at, status, node_id,
      replica, lease, http_status, result, error_code, error_message, error_hint, duration_ms, result_hash, finished_at)
    select id, wallet, key_id, workspace_id::numeric, kind, method, path, input::json, runner, now() - make_interval(secs => age),
      now() - make_interval(secs => age), status, node_id, replica, lease, http_status, result::json, error_code, error_message,
      error_hint, duration_ms, result_hash, case when status <> 'running' then now() end
    from given
    on conflict (id) do nothing
    returning id, created_at, finished_at
  ), kept as (
    insert into app.task_result (task_id, body, content_type, content_encoding)
    select id, body, content_type, content_encoding from given join stored using (id) where body is not null
  )
  select id, created_at as "createdAt", finished_at as "finishedAt" from stored`;

/** Stores tasks, each with its end if it has one. Undefined for a task that is stored already. */
export async function insertTaskRecords(
  db: Queryable,
  records: readonly TaskRecord[],
): Promise<(TaskTimes | undefined)[]> {
  const { rows } = await db.query<TaskTimes & { id: string }>({
    name: "insert_task_records",
    text: insertRecords,
    values: columnsOf(records.map(valuesOf)),
  });
  const times = new Map(rows.map((row) => [row.id, row]));
  return records.map(({ task }) => times.get(task.id));
}

function valuesOf({ task, age, end }: TaskRecord): unknown[] {
  const { id, wallet, keyId, workspaceId, kind, method, path, runner } = task;
  return [
    id,
    wallet,
    keyId,
    workspaceId,
    kind,
    method,
    path,
    // Its own text: serialized again, large numbers and repeated names would change.
    inputTextOf(task),
    runner,
    age / 1000,
    end?.status ?? "running",
    end?.served?.nodeId ?? null,
    end?.served?.replica ?? null,
    end?.served?.lease ?? null,
    end?.httpStatus ?? null,
    end?.result === undefined ? null : toJson(end.result),
    end?.error?.code ?? null,
    end?.error?.message ?? null,
    end?.error?.hint ?? null,
    end?.durationMs ?? null,
    end === undefined ? null : resultHashOf(id, end.result),
    end?.raw?.bytes ?? null,
    end?.raw?.contentType ?? null,
    end?.raw?.contentEncoding ?? null,
  ];
}

/** Rows as one array for each column. */
function columnsOf(rows: readonly unknown[][]): unknown[][] {
  return (rows[0] ?? []).map((_value, column) => rows.map((row) => row[column]));
}
