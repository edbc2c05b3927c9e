import { randomUUID } from "node:crypto";
import { type Connection, type Database, type Queryable, transaction } from "@ngpu/db/pool";

/** What the tasks of a key have cost today, in token units, and when the next day begins. */
export async function spentToday(db: Queryable, keyId: string): Promise<{ spent: bigint; resetsAt: Date }> {
  const { rows } = await db.query<{ spent: bigint; resets_at: Date }>(
    `select coalesce((select amount from app.key_spending where key_id = $1 and day = (now() at time zone 'utc')::date), 0)
         as spent,
       ((now() at time zone 'utc')::date + 1)::timestamp at time zone 'utc' as resets_at`,
    [keyId],
  );
  const [row] = rows;
  return { spent: row?.spent ?? 0n, resetsAt: row?.resets_at ?? new Date() };
}

/** Adds what a task cost to the spending of its key: its duration at the price of its lease, as receipts count it. */
export async function addTaskCost(db: Queryable, keyId: string, taskId: string): Promise<void> {
  await db.query(
    `insert into app.key_spending as spending (key_id, day, amount)
     select $1, (now() at time zone 'utc')::date, ceil(task.duration_ms * lease.price_per_second / 1000.0)
     from app.task as task join chain.assignment as lease
       on lease.workspace_id = task.workspace_id and lease.replica = task.replica and lease.lease = task.lease
     where task.id = $2 and task.duration_ms is not null
     on conflict (key_id, day) do update set amount = spending.amount + excluded.amount`,
    [keyId, taskId],
  );
}

/** Minutes for which a publication that has no workspace yet counts. */
const publicationMinutes = 10;
const daySeconds = 86_400n;

/**
 * Reserves what a workspace costs at its highest price, if a day of all that the key has ordered stays within its limit.
 *
 * @param order.workspaceId Undefined: it is being published.
 * @returns The reservation, or what is left.
 */
export function reserveRate(
  db: Database,
  order: { keyId: string; perDay: bigint; workspaceId: string | undefined; rate: bigint },
): Promise<{ id: string } | { left: bigint }> {
  return transaction(db, async (connection) => {
    await connection.query("select from app.api_key where id = $1 for update", [order.keyId]);
    const reserved = await reservedRate(connection, order.keyId, order.workspaceId);
    const left = order.perDay - reserved * daySeconds;
    if (order.rate * daySeconds > left) return { left: left < 0n ? 0n : left };
    const { rows } = await connection.query<{ id: string }>(
      `insert into app.key_workspace (id, key_id, workspace_id, rate) values ($1, $2, $3::numeric, $4)
       on conflict (key_id, workspace_id) do update set rate = excluded.rate returning id`,
      [randomUUID(), order.keyId, order.workspaceId ?? null, order.rate],
    );
    return { id: rows[0]?.id ?? "" };
  });
}

/** The rate of the open workspaces that the key has ordered, without one of them. */
async function reservedRate(db: Connection, keyId: string, except: string | undefined): Promise<bigint> {
  const { rows } = await db.query<{ rate: bigint }>(
    `select coalesce(sum(ordered.rate), 0)::numeric(78,0) as rate
     from app.key_workspace as ordered left join chain.workspace as workspace on workspace.workspace_id = ordered.workspace_id
     where ordered.key_id = $1 and ordered.workspace_id is distinct from $2::numeric and case
       when workspace.status is not null then workspace.status = 'open'
       else ordered.created_at > now() - interval '${publicationMinutes} minutes' end`,
    [keyId, except ?? null],
  );
  return rows[0]?.rate ?? 0n;
}

/** The workspace of a reservation has been published. A repeated publication has its reservation already. */
export async function nameReservation(db: Queryable, id: string, workspaceId: string): Promise<void> {
  await db.query(
    `with known as (
       select from app.key_workspace as other join app.key_workspace as own on own.id = $1 and own.key_id = other.key_id
       where other.workspace_id = $2::numeric
     ), repeated as (delete from app.key_workspace where id = $1 and exists (select from known))
     update app.key_workspace set workspace_id = $2::numeric where id = $1 and not exists (select from known)`,
    [id, workspaceId],
  );
}

export async function releaseReservation(db: Queryable, id: string): Promise<void> {
  await db.query("delete from app.key_workspace where id = $1 and workspace_id is null", [id]);
}
