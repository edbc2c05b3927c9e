import { type Database, type Queryable, transaction } from "@ngpu/db/pool";

/** A line that has not ended. */
export type PendingLine = { line: number; custom_id: string; attempts: number; task_id: string | null };

/** Stores the lines of an input, whose earlier ones of an interrupted validation are gone. */
export async function insertLines(
  db: Queryable,
  batchId: string,
  lines: readonly { line: number; customId: string }[],
): Promise<void> {
  await db.query(
    `insert into app.batch_line (batch_id, line, custom_id)
     select $1, given.line, given.custom_id from unnest($2::integer[], $3::text[]) as given (line, custom_id)`,
    [batchId, lines.map(({ line }) => line), lines.map(({ customId }) => customId)],
  );
}

export async function deleteLines(db: Queryable, batchId: string): Promise<void> {
  await db.query("delete from app.batch_line where batch_id = $1", [batchId]);
}

export async function pendingLines(db: Queryable, batchId: string): Promise<PendingLine[]> {
  const { rows } = await db.query<PendingLine>(
    `select line, custom_id, attempts, task_id from app.batch_line
     where batch_id = $1 and outcome is null order by line`,
    [batchId],
  );
  return rows;
}

/** The line is about to be sent, by a task that is not stored yet. */
export async function beginLine(db: Queryable, batchId: string, line: number, taskId: string): Promise<void> {
  await db.query(
    `update app.batch_line set task_id = $3, attempts = attempts + 1
     where batch_id = $1 and line = $2 and outcome is null`,
    [batchId, line, taskId],
  );
}

export type LineEnd = {
  outcome: "succeeded" | "failed";
  /** Undefined: its task has a response. */
  error: { code: string; message: string } | undefined;
};

/** Ends a line, once: its batch counts it in the same statement. */
export async function endLine(db: Queryable, batchId: string, line: number, end: LineEnd): Promise<void> {
  await db.query(
    `with ended as (
       update app.batch_line set outcome = $3, error_code = $4, error_message = $5
       where batch_id = $1 and line = $2 and outcome is null returning outcome
     )
     update app.batch set completed = completed + (select count(*) from ended where outcome = 'succeeded'),
       failed = failed + (select count(*) from ended where outcome = 'failed')
     where id = $1 and exists (select from ended)`,
    [batchId, line, end.outcome, end.error?.code ?? null, end.error?.message ?? null],
  );
}

/** Ends the lines that have not ended, with one reason. @returns Their number. */
export function endRest(
  db: Database,
  batchId: string,
  error: { code: string; message: string },
): Promise<number> {
  return transaction(db, async (connection) => {
    const { rowCount } = await connection.query(
      `update app.batch_line set outcome = 'failed', error_code = $2, error_message = $3
       where batch_id = $1 and outcome is null`,
      [batchId, error.code, error.message],
    );
    const ended = rowCount ?? 0;
    await connection.query("update app.batch set failed = failed + $2 where id = $1", [batchId, ended]);
    return ended;
  });
}

/** A line that has ended, with its task's response. `result`: JSON text. */
export type EndedLine = {
  line: number;
  custom_id: string;
  error_code: string | null;
  error_message: string | null;
  task_id: string | null;
  http_status: number | null;
  result: string | null;
};

/** Lines with one outcome after a line, in order. */
export async function endedLines(
  db: Queryable,
  batchId: string,
  page: { outcome: LineEnd["outcome"]; after: number; limit: number },
): Promise<EndedLine[]> {
  const { rows } = await db.query<EndedLine>(
    `select line.line, custom_id, line.error_code, line.error_message, task_id, http_status, result::text as result
     from app.batch_line as line left join app.task as task on task.id = line.task_id and line.error_code is null
     where batch_id = $1 and outcome = $2 and line.line > $3 order by line.line limit $4`,
    [batchId, page.outcome, page.after, page.limit],
  );
  return rows;
}
