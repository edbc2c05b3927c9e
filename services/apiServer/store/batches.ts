import { randomBytes } from "node:crypto";
import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";

type BatchStatus =
  | "validating"
  | "failed"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "expired"
  | "cancelling"
  | "cancelled";

/** What is wrong with a line of an input, or with the input: `line` is null. */
export type InputFault = {
  code: string;
  line: number | null;
  message: string;
  hint: string;
  param: string | null;
};

export type BatchRow = {
  id: string;
  wallet: string;
  key_id: string;
  endpoint: string;
  completion_window: string;
  input_file_id: string;
  input_content_id: string | null;
  input_key_id: string;
  status: BatchStatus;
  errors: InputFault[] | null;
  metadata: Record<string, string> | null;
  output_seconds: number;
  output_file_id: string | null;
  error_file_id: string | null;
  total: number;
  completed: number;
  failed: number;
  created_at: Date;
  in_progress_at: Date | null;
  expires_at: Date;
  finalizing_at: Date | null;
  cancelling_at: Date | null;
  ended_at: Date | null;
};

export type NewBatch = Pick<
  BatchRow,
  | "wallet"
  | "key_id"
  | "endpoint"
  | "completion_window"
  | "input_file_id"
  | "input_key_id"
  | "metadata"
  | "output_seconds"
> & { input_content_id: string };

/** Seconds within which a batch ends. */
const windowSeconds = 86_400;

/** Stores a batch. Undefined when the wallet has as many open ones as it may have, or the content is being removed. */
export function insertBatch(db: Database, batch: NewBatch, mostOpen: number): Promise<BatchRow | undefined> {
  return transaction(db, async (connection) => {
    // The same lock as that under which contents are dropped.
    await connection.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
      `files ${batch.wallet}`,
    ]);
    const { rows } = await connection.query<BatchRow>(
      `insert into app.batch (id, wallet, key_id, endpoint, completion_window, input_file_id, input_content_id, metadata, status,
         expires_at, input_key_id, output_seconds)
       select $1, $2, $3, $4, $5, $6, $7, $8, 'validating', now() + make_interval(secs => ${windowSeconds}), $10, $11::integer
       where (select count(*) from app.batch where wallet = $2 and ended_at is null) < $9
         and exists (select from app.file_content where id = $7 and dropped_at is null)
       returning *`,
      [
        `batch_${randomBytes(12).toString("hex")}`,
        batch.wallet,
        batch.key_id,
        batch.endpoint,
        batch.completion_window,
        batch.input_file_id,
        batch.input_content_id,
        batch.metadata === null ? null : JSON.stringify(batch.metadata),
        mostOpen,
        batch.input_key_id,
        batch.output_seconds,
      ],
    );
    return rows[0];
  });
}

export async function findBatch(db: Queryable, wallet: string, id: string): Promise<BatchRow | undefined> {
  const { rows } = await db.query<BatchRow>("select * from app.batch where wallet = $1 and id = $2", [
    wallet,
    id,
  ]);
  return rows[0];
}

/** A wallet's batches, newest first. */
export async function listBatches(
  db: Queryable,
  wallet: string,
  page: { limit: number; after: string | undefined },
): Promise<BatchRow[]> {
  const { rows } = await db.query<BatchRow>(
    `select * from app.batch where wallet = $1
       and ($2::text is null or (created_at, id) < (select created_at, id from app.batch where id = $2 and wallet = $1))
     order by created_at desc, id desc limit $3`,
    [wallet, page.after ?? null, page.limit],
  );
  return rows;
}

/** Lets a batch end without the lines that have not ended. One that is about to end, or has ended, stays as it is. */
export async function requestBatchCancel(db: Queryable, wallet: string, id: string): Promise<void> {
  await db.query(
    `update app.batch set status = 'cancelling', cancelling_at = now(), resume_at = now()
     where wallet = $1 and id = $2 and status in ('validating', 'in_progress')`,
    [wallet, id],
  );
}

/** Takes an open batch that no process runs. */
export async function claimBatch(db: Queryable, runner: bigint): Promise<BatchRow | undefined> {
  const { rows } = await db.query<BatchRow>(
    `update app.batch set runner = $1 where id = (
       select id from app.batch where ended_at is null and runner is null and resume_at <= now()
       order by created_at limit 1 for update skip locked)
     returning *`,
    [runner],
  );
  return rows[0];
}

/** Gives a batch back. @param seconds When it is taken again. */
export async function releaseBatch(
  db: Queryable,
  id: string,
  runner: bigint,
  seconds: number,
): Promise<void> {
  await db.query(
    `update app.batch set runner = null, resume_at = now() + make_interval(secs => $3)
     where id = $1 and runner = $2`,
    [id, runner, seconds],
  );
}

/** Gives back the batches of processes that have ended. */
export function releaseAbandonedBatches(db: Database, self: bigint): Promise<number> {
  return releaseAbandoned(db, self, {
    open: "select runner from app.batch where runner is not null",
    release: "update app.batch set runner = null where runner = $1",
  });
}

/** Whether lines of a batch are still to be run. */
export async function isInProgress(db: Queryable, id: string): Promise<boolean> {
  const { rows } = await db.query(
    "select from app.batch where id = $1 and status = 'in_progress' and expires_at > now()",
    [id],
  );
  return rows.length === 1;
}

/** @returns Whether the batch was validating until now. */
export async function beginBatch(db: Queryable, id: string, total: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `update app.batch set status = 'in_progress', in_progress_at = now(), total = $2
     where id = $1 and status = 'validating'`,
    [id, total],
  );
  return rowCount === 1;
}

/** Ends a batch whose input is not valid. */
export async function failBatch(db: Queryable, id: string, faults: readonly InputFault[]): Promise<void> {
  await db.query(
    `update app.batch set status = 'failed', errors = $2, ended_at = now(), input_content_id = null, runner = null
     where id = $1 and status = 'validating'`,
    [id, JSON.stringify(faults)],
  );
}

/** No further line begins. One that was cancelled stays cancelled. */
export async function finalizeBatch(db: Queryable, id: string): Promise<void> {
  await db.query(
    `update app.batch set status = case when status = 'in_progress' then 'finalizing' else status end,
       finalizing_at = coalesce(finalizing_at, now()) where id = $1`,
    [id],
  );
}

/** Ends a batch with its files. */
export async function endBatch(
  db: Queryable,
  id: string,
  files: { output: string | null; errors: string | null; isWhole: boolean },
): Promise<void> {
  await db.query(
    `update app.batch set output_file_id = $2, error_file_id = $3, ended_at = now(), input_content_id = null, runner = null,
       status = case when status = 'cancelling' then 'cancelled' when $4 then 'completed' else 'expired' end
     where id = $1 and ended_at is null`,
    [id, files.output, files.errors, files.isWhole],
  );
}
