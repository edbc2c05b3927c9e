import type { Queryable } from "@ngpu/db/pool";

/** SQL: the place of a row of app.task among those that wait for a replica of its workspace, from 1. Null: it does not wait. */
export const queuePosition = `case when status = 'queued' and wait_until is not null then (
    select count(*) from app.task as ahead where ahead.workspace_id = task.workspace_id and ahead.status = 'queued'
      and ahead.wait_until is not null and (ahead.created_at, ahead.id) <= (task.created_at, task.id)) end::int4`;

/** How many tasks wait for a replica of a workspace. */
export async function countWaiting(db: Queryable, workspaceId: string): Promise<number> {
  const { rows } = await db.query<{ waiting: number }>(
    `select count(*)::int4 as waiting from app.task
     where workspace_id = $1::numeric and status = 'queued' and wait_until is not null`,
    [workspaceId],
  );
  return rows[0]?.waiting ?? 0;
}

/** Tasks of a workspace that are tried at once when there is a replica. */
const triedAtOnce = 16;

export type Turn = { id: string; turn: "try" | "over" | "closed" };

/** Which of these tasks need not wait any longer: a replica may take them, their time is over, or their workspace is closed. */
export async function findTurns(db: Queryable, ids: readonly string[]): Promise<Turn[]> {
  const { rows } = await db.query<Turn>(
    `with own as (
       select distinct workspace_id from app.task where id = any($1::uuid[])
     ), place as (
       select task.id, task.workspace_id, task.wait_until,
         row_number() over (partition by task.workspace_id order by task.created_at, task.id) as position
       from app.task as task join own using (workspace_id)
       where task.status = 'queued' and task.wait_until is not null
     ), served as (
       select own.workspace_id, coalesce(workspace.status <> 'open', false) as is_closed, exists (
         select from chain.assignment as held
         join app.tunnel as tunnel on tunnel.node_id = held.node_id and tunnel.seen_at > now() - interval '1 minute'
         where held.workspace_id = own.workspace_id and held.state = 'running' and held.release_reason is null
           and held.desired not in ('stop', 'delete')
           and held.replica < workspace.replicas
           and (scaling.drain_from is null or held.replica < scaling.drain_from)) as is_served
       from own left join chain.workspace as workspace on workspace.workspace_id = own.workspace_id
       left join app.scaling as scaling on scaling.workspace_id = own.workspace_id
     )
     select place.id, case when is_closed then 'closed' when place.wait_until <= now() then 'over' else 'try' end as turn
     from place join served using (workspace_id)
     where place.id = any($1::uuid[])
       and (is_closed or (is_served and position <= ${triedAtOnce}) or place.wait_until <= now())`,
    [ids],
  );
  return rows;
}

/** No replica took the task: it waits, at its place. @param seconds How long, if it has not waited before. */
export async function waitForReplica(db: Queryable, id: string, seconds: number): Promise<void> {
  await db.query(
    `update app.task set status = 'queued', started_at = null,
       wait_until = coalesce(wait_until, now() + make_interval(secs => $2)) where id = $1 and status = 'running'`,
    [id, seconds],
  );
}
