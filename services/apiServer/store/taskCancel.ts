import type { Queryable } from "@ngpu/db/pool";

/** Prefix of the notification on app_changed; the task's id follows. */
export const cancelNotice = "task_cancel:";

/** Cancels a task that has not ended, at whichever instance runs it. */
export async function requestCancel(db: Queryable, wallet: string, id: string): Promise<void> {
  await db.query(
    `with asked as (
       update app.task set cancelled_at = now()
       where wallet = $1 and id = $2 and status in ('queued', 'running') and cancelled_at is null
       returning id
     )
     select pg_notify('app_changed', $3 || id) from asked`,
    [wallet, id, cancelNotice],
  );
}

/** Which of these tasks were cancelled. */
export async function findCancelled(db: Queryable, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from app.task where id = any($1::uuid[]) and cancelled_at is not null",
    [ids],
  );
  return rows.map((row) => row.id);
}
