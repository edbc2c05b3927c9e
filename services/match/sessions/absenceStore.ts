import type { Database, Queryable } from "@ngpu/db/pool";
import { fresh } from "./sessionStore.ts";

/** How a node is missed: its connection ended, it answers no ping, or it answers and does not beat. */
export type Signal = "session" | "probe" | "heartbeat";

/** A node that returned is watched for so long, in seconds: leaving again, it goes on being away where it had stopped. */
const probationSeconds = 10;

// A node that was back for a while only has been away for the sum of both times.
const missed = `on conflict (node_id) do update set signal = excluded.signal, back_at = null,
  lost_at = case when absence.back_at is null then absence.lost_at end,
  since = case when absence.back_at is null then least(absence.since, excluded.since)
    else excluded.since - (absence.back_at - absence.since) end`;

/** Ends sessions, and notes since when their nodes are missed. */
export async function dropSessions(
  db: Queryable,
  ended: { id: string; signal: Signal; idleSeconds: number }[],
): Promise<void> {
  await db.query(
    `with given as (
       select * from unnest($1::uuid[], $2::text[], $3::float8[]) as g (id, signal, quiet)
     ), gone as (
       delete from app.session s using given where s.session_id = given.id
       returning s.role, s.subject_id, given.signal, given.quiet
     )
     insert into app.absence as absence (node_id, signal, since)
     select distinct on (subject_id) subject_id, signal, now() - make_interval(secs => quiet)
     from gone where role = 'node' and subject_id is not null order by subject_id, quiet ${missed}`,
    [ended.map((one) => one.id), ended.map((one) => one.signal), ended.map((one) => one.idleSeconds)],
  );
  await db.query("select pg_notify('app_changed', 'session')");
}

/** Notes nodes that have a session and do not beat. */
export async function recordMissedHeartbeats(
  db: Queryable,
  nodes: { nodeId: number; idleSeconds: number }[],
): Promise<void> {
  await db.query(
    `insert into app.absence as absence (node_id, signal, since)
     select node_id, 'heartbeat', now() - make_interval(secs => quiet)
     from unnest($1::int[], $2::float8[]) as g (node_id, quiet) order by node_id ${missed}`,
    [nodes.map((one) => one.nodeId), nodes.map((one) => one.idleSeconds)],
  );
  await db.query("select pg_notify('app_changed', 'session')");
}

/** Notes that nodes beat again. */
export async function clearMissedHeartbeats(db: Queryable, nodeIds: number[]): Promise<void> {
  await db.query(
    "update app.absence set back_at = now() where node_id = any($1::int[]) and back_at is null",
    [nodeIds],
  );
}

/** Ends what instances left behind that died. Their nodes are missed from now on: they need a moment to find another. */
export async function reapInstances(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `with gone as (
       delete from app.session s where not (${fresh}) returning s.role, s.subject_id
     )
     insert into app.absence as absence (node_id, signal, since)
     select distinct subject_id, 'session', now() from gone
     where role = 'node' and subject_id is not null ${missed}`,
  );
  await db.query("delete from app.match_instance where seen_at < now() - interval '1 hour'");
  return rowCount ?? 0;
}

/** Takes over what an instance of the same name left behind when it was killed, and says that this one lives. */
export async function registerInstance(db: Queryable, instance: string): Promise<void> {
  const { rows } = await db.query<{ id: string }>(
    "select session_id as id from app.session where instance = $1",
    [instance],
  );
  await dropSessions(
    db,
    rows.map(({ id }) => ({ id, signal: "session", idleSeconds: 0 })),
  );
  await refreshInstance(db, instance);
}

export async function refreshInstance(db: Queryable, instance: string): Promise<void> {
  await db.query(
    `insert into app.match_instance (instance) values ($1)
     on conflict (instance) do update set seen_at = now()`,
    [instance],
  );
}

/** Whether an instance beside this one lived a moment ago. */
export async function hasPeers(db: Queryable, instance: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "select from app.match_instance where instance <> $1 and seen_at > now() - interval '30 seconds' limit 1",
    [instance],
  );
  return (rowCount ?? 0) > 0;
}

/**
 * Finds nodes that nobody missed and nobody holds a session of: those that never came, and those whose end went unwritten.
 * Looks at all nodes, so it is for now and then.
 */
export async function recordUnconnected(db: Queryable): Promise<void> {
  await db.query(
    `insert into app.absence (node_id, signal, since)
     select n.node_id, 'session', now() from chain.node n
     where (n.status = 'online' or exists (
         select from chain.assignment a where a.node_id = n.node_id and a.release_reason is null))
       -- By its key: a session that came before the registration does not know its node for a moment.
       and not exists (select from app.session s where s.role = 'node' and s.key = n.key)
     on conflict do nothing`,
  );
}

export type Absence = { nodeId: number; signal: Signal; unreachableMs: number };

/** Who is away now. Those that have been back for long enough are forgotten. */
export async function readAbsences(pool: Database): Promise<Absence[]> {
  await pool.query(`delete from app.absence where back_at < now() - interval '${probationSeconds} seconds'`);
  const { rows } = await pool.query<Absence>(
    `select node_id as "nodeId", signal, extract(epoch from now() - since)::float8 * 1000 as "unreachableMs"
     from app.absence where back_at is null`,
  );
  return rows;
}

/** Notes nodes as lost that were not yet; tells of each for how long it had not been heard. */
export async function markLost(db: Queryable, nodeIds: number[]): Promise<Absence[]> {
  const { rows } = await db.query<Absence>(
    `update app.absence set lost_at = now()
     where node_id = any($1::int[]) and lost_at is null and back_at is null
     returning node_id as "nodeId", signal, extract(epoch from now() - since)::float8 * 1000 as "unreachableMs"`,
    [nodeIds],
  );
  return rows;
}
