import type { Database, Queryable } from "@ngpu/db/pool";
import { isLive } from "./sessionStore.ts";

/** How an absence was detected: the connection closed, a ping timed out, or heartbeats stopped on an open connection. */
export type Signal = "session" | "probe" | "heartbeat";

/** Time after a node's return, s. If the node leaves again within it, its absence continues. */
const probationSeconds = 10;

// SQL: an absence that resumes within the probation counts the earlier absence, without the time in between.
const resumeAbsence = `on conflict (node_id) do update set signal = excluded.signal, back_at = null,
  heard_at = greatest(absence.heard_at, excluded.heard_at),
  lost_at = case when absence.back_at is null then absence.lost_at end,
  since = case when absence.back_at is null then least(absence.since, excluded.since)
    else excluded.since - (absence.back_at - absence.since) end`;

/**
 * Deletes sessions and records the absences of their nodes. `idleSeconds` is the time since the last contact. A node whose
 * key was replaced is not absent while its new key has a session.
 */
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
     insert into app.absence as absence (node_id, signal, since, heard_at)
     select distinct on (subject_id) subject_id, signal, now() - make_interval(secs => quiet),
       now() - make_interval(secs => quiet)
     from gone where role = 'node' and subject_id is not null
       and not exists (select from app.session other
         where other.role = 'node' and other.subject_id = gone.subject_id and other.session_id <> all ($1::uuid[]))
     order by subject_id, quiet ${resumeAbsence}`,
    [ended.map((one) => one.id), ended.map((one) => one.signal), ended.map((one) => one.idleSeconds)],
  );
  await db.query("select pg_notify('app_changed', 'session')");
}

/** Records the absences of nodes with a session whose heartbeats stopped. */
export async function recordMissedHeartbeats(
  db: Queryable,
  nodes: { nodeId: number; idleSeconds: number }[],
): Promise<void> {
  await db.query(
    `insert into app.absence as absence (node_id, signal, since, heard_at)
     select node_id, 'heartbeat', now() - make_interval(secs => quiet), now() - make_interval(secs => quiet)
     from unnest($1::int[], $2::float8[]) as g (node_id, quiet) order by node_id ${resumeAbsence}`,
    [nodes.map((one) => one.nodeId), nodes.map((one) => one.idleSeconds)],
  );
  await db.query("select pg_notify('app_changed', 'session')");
}

/** Records that nodes send heartbeats again. */
export async function clearMissedHeartbeats(db: Queryable, nodeIds: number[]): Promise<void> {
  await db.query(
    "update app.absence set back_at = now() where node_id = any($1::int[]) and back_at is null",
    [nodeIds],
  );
}

/**
 * Deletes the sessions of dead instances. The absences of their nodes begin now, because nodes need time to reconnect.
 *
 * @returns the number of sessions
 */
export async function reapInstances(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `with gone as (
       delete from app.session s where not (${isLive}) returning s.role, s.subject_id
     )
     insert into app.absence as absence (node_id, signal, since, heard_at)
     select distinct subject_id, 'session', now(), now() from gone
     where role = 'node' and subject_id is not null ${resumeAbsence}`,
  );
  await db.query("delete from app.match_instance where seen_at < now() - interval '1 hour'");
  return rowCount ?? 0;
}

/** Deletes the sessions of an earlier instance with the same name, and registers this one as alive. */
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

/** Registers the instance as alive now. */
export async function refreshInstance(db: Queryable, instance: string): Promise<void> {
  await db.query(
    `insert into app.match_instance (instance) values ($1)
     on conflict (instance) do update set seen_at = now()`,
    [instance],
  );
}

/** Whether another instance was alive within the last 30 s. */
export async function hasPeers(db: Queryable, instance: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "select from app.match_instance where instance <> $1 and seen_at > now() - interval '30 seconds' limit 1",
    [instance],
  );
  return (rowCount ?? 0) > 0;
}

/**
 * Records the absences of nodes without a session: those that never connected, and those whose disconnection was not
 * recorded. Reads all nodes, so do not call it often.
 */
export async function recordUnconnected(db: Queryable): Promise<void> {
  await db.query(
    `insert into app.absence (node_id, signal, since)
     select n.node_id, 'session', now() from chain.node n
     where (n.status = 'online' or exists (
         select from chain.assignment a where a.node_id = n.node_id and a.release_reason is null))
       -- By key: a session opened before the registration has no node id at first.
       and not exists (select from app.session s where s.role = 'node' and s.key = n.key)
     on conflict do nothing`,
  );
}

export type Absence = { nodeId: number; signal: Signal; unreachableMs: number };

/** Deletes the absences whose node returned and passed the probation. */
export async function endAbsences(pool: Database): Promise<void> {
  await pool.query(`delete from app.absence where back_at < now() - interval '${probationSeconds} seconds'`);
}

/** The current absences. */
export async function readAbsences(pool: Database): Promise<Absence[]> {
  const { rows } = await pool.query<Absence>(
    `select node_id as "nodeId", signal, extract(epoch from now() - since)::float8 * 1000 as "unreachableMs"
     from app.absence where back_at is null`,
  );
  return rows;
}

/** Marks absent nodes as lost. @returns those that were not marked before */
export async function markLost(db: Queryable, nodeIds: number[]): Promise<Absence[]> {
  const { rows } = await db.query<Absence>(
    `update app.absence set lost_at = now()
     where node_id = any($1::int[]) and lost_at is null and back_at is null
     returning node_id as "nodeId", signal, extract(epoch from now() - since)::float8 * 1000 as "unreachableMs"`,
    [nodeIds],
  );
  return rows;
}
