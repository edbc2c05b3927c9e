import type { Queryable } from "@ngpu/db/pool";
import { type Scaling, scalingIn } from "@ngpu/protocol/scaling";
import { type ScalingFacts, type ScalingState, settled } from "../scaling/decideScaling.ts";

export type ScaledWorkspace = { id: string; facts: ScalingFacts; state: ScalingState };

type Row = {
  id: string;
  config: string;
  replicas: number;
  stopped: boolean;
  serving: number[];
  now: number;
  open: number;
  recent: number;
  oldest_sent_at: number | null;
  lower_since: number | null;
  peak: number | null;
  drain_from: number | null;
  drain_since: number | null;
};

/**
 * Open workspaces that a delegate publishes for and whose replicas follow their requests. Background tasks that still wait for
 * others of their wallet ask for no replica: more replicas would not begin them.
 *
 * @param of.id Only this one.
 * @param of.seconds Requests of this many last seconds count that have ended.
 */
export async function listScaled(
  db: Queryable,
  of: { delegate: string; seconds: number; id?: string },
): Promise<ScaledWorkspace[]> {
  const { rows } = await db.query<Row>(
    `select workspace.workspace_id::text as id, workspace.config, workspace.replicas::int4 as replicas, workspace.stopped,
       extract(epoch from now())::float8 as now, asked.open, asked.oldest_sent_at, ended.recent,
       array(
         select distinct held.replica::int4 from chain.assignment as held
         join app.tunnel as tunnel on tunnel.node_id = held.node_id and tunnel.seen_at > now() - interval '1 minute'
         where held.workspace_id = workspace.workspace_id and held.state = 'running' and held.release_reason is null
           and held.desired not in ('stop', 'delete')) as serving,
       extract(epoch from lower_since)::float8 as lower_since, peak, drain_from,
       extract(epoch from drain_since)::float8 as drain_since
     from chain.workspace as workspace
     join chain.spending_authorization as spending using (authorization_id)
     left join app.scaling as scaling using (workspace_id)
     cross join lateral (
       select count(*) filter (where status = 'running' or wait_until is not null)::int4 as open,
         extract(epoch from min(coalesce(started_at, created_at)) filter (where status = 'running'))::float8 as oldest_sent_at
       from app.task where task.workspace_id = workspace.workspace_id and status in ('queued', 'running')
     ) as asked
     cross join lateral (
       select coalesce(sum(greatest(duration_ms, 1)), 0)::float8 as recent from app.task
       where task.wallet = workspace.owner and task.workspace_id = workspace.workspace_id
         and task.created_at > now() - make_interval(secs => $2) and status not in ('queued', 'running')
     ) as ended
     where workspace.status = 'open' and workspace.config like '%"scaling":%' and spending.delegate = $1
       and ($3::numeric is null or workspace.workspace_id = $3::numeric)`,
    [of.delegate.toLowerCase(), of.seconds, of.id ?? null],
  );
  return rows.flatMap((row) => {
    const scaling = scalingIn(row.config);
    return scaling === undefined ? [] : [scaledOf(row, scaling, of.seconds)];
  });
}

function scaledOf(row: Row, scaling: Scaling, seconds: number): ScaledWorkspace {
  const { id, now, replicas, stopped, serving, open, recent, oldest_sent_at: oldestSentAt } = row;
  // Requests that end between two looks are in progress at none of them.
  const demand = Math.max(open, Math.ceil(recent / (1_000 * seconds)));
  return {
    id,
    facts: { scaling, now, replicas, stopped, serving, demand, oldestSentAt },
    state: {
      lowerSince: row.lower_since,
      peak: row.peak ?? settled.peak,
      drainFrom: row.drain_from,
      drainSince: row.drain_since,
    },
  };
}

/** Stores the state of a workspace, and tells the gateways when other replicas take its requests. */
export async function saveScaling(db: Queryable, id: string, state: ScalingState): Promise<void> {
  await db.query(
    `with stored as (
       insert into app.scaling as known (workspace_id, lower_since, peak, drain_from, drain_since)
       values ($1::numeric, to_timestamp($2), $3, $4, to_timestamp($5))
       on conflict (workspace_id) do update set lower_since = excluded.lower_since, peak = excluded.peak,
         drain_from = excluded.drain_from, drain_since = excluded.drain_since
       returning drain_from)
     select pg_notify('app_changed', 'scaling') from stored
     where drain_from is distinct from (select before.drain_from from app.scaling as before where workspace_id = $1::numeric)`,
    [id, state.lowerSince, state.peak, state.drainFrom, state.drainSince],
  );
}

/** Forgets workspaces of a delegate that are none of these any more, so that fixed replicas take all requests, and tells the gateways. */
export async function deleteScalings(
  db: Queryable,
  { delegate, except }: { delegate: string; except: readonly string[] },
): Promise<void> {
  await db.query(
    `with gone as (
       delete from app.scaling where workspace_id <> all($2::numeric[]) and not exists (
         select from chain.workspace as workspace
         join chain.spending_authorization as spending using (authorization_id)
         where workspace.workspace_id = scaling.workspace_id and workspace.status = 'open' and spending.delegate <> $1)
       returning drain_from)
     select pg_notify('app_changed', 'scaling') from gone where drain_from is not null limit 1`,
    [delegate.toLowerCase(), except],
  );
}

/** Records how the last change of the number of replicas ended. @param code Null: it is on the chain. */
export async function saveRefusal(db: Queryable, id: string, code: string | null): Promise<void> {
  await db.query(
    `insert into app.scaling (workspace_id, refusal) values ($1::numeric, $2)
     on conflict (workspace_id) do update set refusal = excluded.refusal where scaling.refusal is distinct from excluded.refusal`,
    [id, code],
  );
}

/** What is known of one workspace's scaling besides its range. */
export async function findScaling(
  db: Queryable,
  id: string,
): Promise<{ drainFrom: number | null; refusal: string | null }> {
  const { rows } = await db.query<{ drainFrom: number | null; refusal: string | null }>(
    `select drain_from as "drainFrom", refusal from app.scaling where workspace_id = $1::numeric`,
    [id],
  );
  return rows[0] ?? { drainFrom: null, refusal: null };
}

/** Serializes the looks of all instances at one workspace. */
export async function lockScaling(db: Queryable, id: string): Promise<void> {
  await db.query("select pg_advisory_xact_lock(hashtextextended('scaling ' || $1, 0))", [id]);
}
