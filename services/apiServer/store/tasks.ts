import type { Database, Queryable } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";
import { resultHashOf } from "@ngpu/protocol/taskReceiptTree";
import { toJson } from "@ngpu/runtime/json";
import type { RawResult } from "../taskResult.ts";

export type NewTask = {
  id: string;
  wallet: string;
  keyId: string;
  workspaceId: string;
  kind: "task" | "chat";
  method: string;
  path: string;
  /** The body that the container receives, JSON unless `input` is given; undefined: none. */
  payload: Buffer | undefined;
  /** JSON that is stored instead of a payload that is none. */
  input?: Buffer;
  runner: bigint;
  idempotencyKey: string | undefined;
  /** Seconds that it waits for a replica; undefined: without one it is refused. */
  waitSeconds?: number | undefined;
};

/** Without a byte order mark, which Postgres does not accept in JSON. */
const utf8 = new TextDecoder();

/** What is stored of a task's body. */
export function inputTextOf({ input, payload }: Pick<NewTask, "input" | "payload">): string | null {
  const bytes = input ?? payload;
  return bytes === undefined ? null : utf8.decode(bytes);
}

/** Stores a task as queued. False when a task with the partner's Idempotency-Key exists. */
export async function insertTask(db: Queryable, task: NewTask): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into app.task (id, wallet, key_id, workspace_id, kind, method, path, input, runner, idempotency_key,
       wait_until)
     values ($1, $2, $3, $4::numeric, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11)) on conflict (wallet, idempotency_key) do nothing`,
    [
      task.id,
      task.wallet,
      task.keyId,
      task.workspaceId,
      task.kind,
      task.method,
      task.path,
      // Its own text: serialized again, large numbers and repeated names would change.
      inputTextOf(task),
      task.runner,
      task.idempotencyKey ?? null,
      task.waitSeconds ?? null,
    ],
  );
  return rowCount === 1;
}

/** The bytes of a stored task's input. */
export async function readInput(db: Queryable, id: string): Promise<Buffer> {
  const { rows } = await db.query<{ input: string }>("select input::text from app.task where id = $1", [id]);
  const [row] = rows;
  if (row === undefined) throw new Error(`The task ${id} is not stored.`);
  return Buffer.from(row.input);
}

/** @returns Whether the task was cancelled before. */
export async function markTaskRunning(db: Queryable, id: string): Promise<boolean> {
  const { rows } = await db.query<{ is_cancelled: boolean }>(
    `update app.task set status = 'running', started_at = now() where id = $1 and status = 'queued'
     returning cancelled_at is not null as is_cancelled`,
    [id],
  );
  return rows[0]?.is_cancelled === true;
}

export type TaskEnd = {
  /** `aborted`: the client left before the end, or the task was cancelled. */
  status: "succeeded" | "failed" | "aborted";
  served: { nodeId: number; replica: number; lease: number; waitedMs?: number | undefined } | undefined;
  httpStatus: number | undefined;
  result: unknown;
  error: { code: string; message: string; hint: string } | undefined;
  durationMs: number;
  /** The response as received, of a task. */
  raw?: RawResult | undefined;
};

/** When a task began and ended, by the clock of Postgres. */
export type TaskTimes = { createdAt: Date; finishedAt: Date | null };

/**
 * Records the end of a task; later ends are ignored. A task that no replica received releases its Idempotency-Key.
 *
 * @returns Undefined when it had ended before.
 */
export async function endTask(db: Queryable, id: string, end: TaskEnd): Promise<TaskTimes | undefined> {
  const { bytes, contentType, contentEncoding } = end.raw ?? {};
  const { rows } = await db.query<TaskTimes>(
    `with kept as (
       insert into app.task_result (task_id, body, content_type, content_encoding)
       select id, $13::bytea, $14::text, $15::text from app.task
       where $13::bytea is not null and id = $1 and status in ('queued', 'running')
     )
     update app.task set status = $2, node_id = $3, replica = $4, lease = $5, http_status = $6, result = $7,
       error_code = $8, error_message = $9, finished_at = now(), duration_ms = $10, result_hash = $11, error_hint = $12,
       cold_start_ms = $16,
       idempotency_key = case when $8 in ('replica_unavailable', 'capacity_wait_ended') then null else idempotency_key end
     where id = $1 and status in ('queued', 'running')
     returning created_at as "createdAt", finished_at as "finishedAt"`,
    [
      id,
      end.status,
      end.served?.nodeId ?? null,
      end.served?.replica ?? null,
      end.served?.lease ?? null,
      end.httpStatus ?? null,
      end.result === undefined ? null : toJson(end.result),
      end.error?.code ?? null,
      end.error?.message ?? null,
      end.durationMs,
      resultHashOf(id, end.result),
      end.error?.hint ?? null,
      bytes ?? null,
      contentType ?? null,
      contentEncoding ?? null,
      end.served?.waitedMs ?? null,
    ],
  );
  return rows[0];
}

/**
 * Ends the tasks of processes that have ended: a running process holds the advisory lock of its number.
 *
 * @param self Number of this process, whose tasks are skipped.
 * @returns Number of tasks ended.
 */
export function sweepTasks(db: Database, self: bigint): Promise<number> {
  return releaseAbandoned(db, self, {
    open: "select runner from app.task where status in ('queued', 'running')",
    release: `update app.task set status = 'failed', finished_at = now(), error_code = 'task_interrupted',
        error_message = 'The server that ran this task stopped before it ended.',
        error_hint = 'Send the task again. It may have run.'
      where runner = $1 and status in ('queued', 'running')`,
  });
}
