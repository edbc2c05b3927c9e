import type { Database } from "../shared/db/pool.ts";

/** A session row not seen for so long, in seconds, belongs to an instance that died. */
export const freshSeconds = 8;

/** SQL: the session row `s` is alive. */
export const fresh = `s.last_seen_at > now() - interval '${freshSeconds} seconds'`;

export type Role = "node" | "measurer";

const subjects = {
  node: "select node_id::int as id, key from chain.node where key = any($1)",
  measurer: "select measurer_id::int as id, key from chain.measurer where key = any($1)",
} as const;

/** The node or measurer ids of keys; those without one are not on the chain yet. */
export async function subjectIds(pool: Database, role: Role, keys: string[]): Promise<Map<string, number>> {
  if (keys.length === 0) return new Map();
  const { rows } = await pool.query<{ id: number; key: string }>(subjects[role], [keys]);
  return new Map(rows.map((row) => [row.key, row.id]));
}

/** Makes this the session of its key, whoever had it before, and tells the other instances. */
export async function takeSession(
  pool: Database,
  session: {
    id: string;
    key: string;
    role: Role;
    subjectId: number | null;
    instance: string;
    host: string;
    version: string;
  },
): Promise<void> {
  await pool.query(
    `insert into app.session (key, session_id, role, subject_id, instance, host, version)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (key) do update set session_id = excluded.session_id, role = excluded.role,
       subject_id = excluded.subject_id, instance = excluded.instance, host = excluded.host, version = excluded.version,
       connected_at = now(), last_seen_at = now(), cpu_load = null, free_disk_gib = null, running = '{}'`,
    [
      ...[session.key, session.id, session.role, session.subjectId, session.instance, session.host],
      session.version,
    ],
  );
  await pool.query("select pg_notify('app_changed', 'session')");
}

export async function dropSessions(pool: Database, ids: string[]): Promise<void> {
  await pool.query("delete from app.session where session_id = any($1)", [ids]);
  await pool.query("select pg_notify('app_changed', 'session')");
}

/** What an instance of the same name left behind when it was killed. */
export async function dropSessionsOf(pool: Database, instance: string): Promise<void> {
  await pool.query("delete from app.session where instance = $1", [instance]);
}

export async function nameSubject(pool: Database, sessionId: string, subjectId: number): Promise<void> {
  await pool.query("update app.session set subject_id = $2 where session_id = $1", [sessionId, subjectId]);
  await pool.query("select pg_notify('app_changed', 'session')");
}

export type Sighting = { id: string; cpuLoad: number | null; freeDiskGib: number | null; running: string[] };

/** Notes sessions as seen now. Returns those that still are the sessions of their keys. */
export async function touchSessions(pool: Database, seen: Sighting[]): Promise<Set<string>> {
  if (seen.length === 0) return new Set();
  const { rows } = await pool.query<{ session_id: string }>(
    `update app.session s set last_seen_at = now(), cpu_load = coalesce(v.cpu_load, s.cpu_load),
       free_disk_gib = coalesce(v.free_disk_gib, s.free_disk_gib),
       running = array(select jsonb_array_elements_text(v.running))
     from unnest($1::uuid[], $2::double precision[], $3::double precision[], $4::jsonb[])
       as v (id, cpu_load, free_disk_gib, running)
     where s.session_id = v.id returning s.session_id`,
    [
      seen.map((one) => one.id),
      seen.map((one) => one.cpuLoad),
      seen.map((one) => one.freeDiskGib),
      seen.map((one) => JSON.stringify(one.running)),
    ],
  );
  return new Set(rows.map((row) => row.session_id));
}

/** Forgets sessions of instances that died. */
export async function dropStale(pool: Database): Promise<void> {
  await pool.query("delete from app.session where last_seen_at < now() - interval '60 seconds'");
}

export type Live = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  percent: number;
  bytesPerSecond: number;
};

/** Live progress of downloads; only the node that holds the lease is believed. */
export async function writeLive(pool: Database, nodeId: number, live: Live): Promise<void> {
  await pool.query(
    `insert into app.live_progress (workspace_id, replica, lease, percent, bytes_per_second)
     select $2, $3, $4, $5, $6 where exists (select from chain.assignment
       where workspace_id = $2 and replica = $3 and lease = $4 and node_id = $1)
     on conflict (workspace_id, replica, lease) do update
       set percent = excluded.percent, bytes_per_second = excluded.bytes_per_second, updated_at = now()`,
    [nodeId, live.workspaceId, live.replica, live.lease, live.percent, live.bytesPerSecond],
  );
}
