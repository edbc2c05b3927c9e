import type { Queryable } from "@ngpu/db/pool";

export const usageGroups = ["hour", "day", "workspace", "key"] as const;
export type UsageGroup = (typeof usageGroups)[number];

export type UsageRow = {
  group: string;
  tasks: number;
  succeeded: number;
  failed: number;
  ms: number;
  cost: bigint;
};

const groups: Record<UsageGroup, string> = {
  hour: `to_char(date_trunc('hour', task.created_at at time zone 'utc'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  day: `to_char(date_trunc('day', task.created_at at time zone 'utc'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  workspace: "task.workspace_id::text",
  key: "task.key_id",
};

/** The tasks of a wallet in a period, by hour, day, workspace or key. A task costs its duration at the price of its lease. */
export async function readUsage(
  db: Queryable,
  wallet: string,
  { by, since, until }: { by: UsageGroup; since: Date; until: Date },
): Promise<UsageRow[]> {
  const { rows } = await db.query<UsageRow>(
    `select ${groups[by]} as "group", count(*)::int4 as tasks,
       (count(*) filter (where task.status = 'succeeded'))::int4 as succeeded,
       (count(*) filter (where task.status in ('failed', 'aborted')))::int4 as failed,
       coalesce(sum(duration_ms) filter (where task.node_id is not null), 0)::float8 as ms,
       coalesce(sum(ceil(duration_ms * lease.price_per_second / 1000.0)), 0)::numeric(78,0) as cost
     from app.task as task left join chain.assignment as lease on lease.workspace_id = task.workspace_id
       and lease.replica = task.replica and lease.lease = task.lease
     where task.wallet = $1 and task.created_at >= $2 and task.created_at < $3
     group by 1 order by ${by === "hour" || by === "day" ? "1 desc" : "cost desc, 1"} limit 1000`,
    [wallet, since, until],
  );
  return rows;
}
