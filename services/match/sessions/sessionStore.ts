import type { Database } from "@ngpu/db/pool";
import type { SickGpuReport } from "@ngpu/protocol/wire";

/** Time after which an instance without a sign of life is dead, s. */
const instanceSeconds = 6;

/** SQL: the instance of the session row `s` is alive. */
export const isLive = `exists (select from app.match_instance i where i.instance = s.instance
  and i.seen_at > now() - interval '${instanceSeconds} seconds')`;

export type Role = "node" | "measurer";

/** Ids up to `measurers` belong to a Measure that was replaced. Their measurers register again, with another id. */
export type Before = { measurers: number };

/** Node or measurer ids by key. Keys that are not registered on the chain yet are omitted. */
export async function subjectIds(
  pool: Database,
  role: Role,
  keys: string[],
  before: Before,
): Promise<Map<string, number>> {
  if (keys.length === 0) return new Map();
  const { rows } = await pool.query<{ id: number; key: string }>(
    `select node_id::int as id, key from chain.node where $2 = 'node' and key = any($1)
     union all
     select measurer_id::int, key from chain.measurer where $2 = 'measurer' and key = any($1) and measurer_id > $3`,
    [keys, role, before.measurers],
  );
  return new Map(rows.map((row) => [row.key, row.id]));
}

/** Prefix of the notification about replaced sessions on app_changed; their ids follow, separated by commas. */
export const replacedNotice = "session_replaced:";
// The payload of a notification is limited to 8,000 bytes.
const idsInNotice = 200;

export type NewSession = {
  id: string;
  key: string;
  role: Role;
  instance: string;
  host: string;
  version: string;
};

/**
 * Stores sessions in place of the earlier ones of their keys, and notifies the other instances. The keys must be distinct.
 *
 * @returns node or measurer id by key, for registered keys
 */
export async function takeSessions(
  pool: Database,
  newSessions: NewSession[],
  before: Before,
): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ key: string; subject_id: number | null; replaced: string | null }>(
    `with given as (
       select g.*, coalesce(n.node_id, m.measurer_id)::int as subject_id
       from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
         as g (key, session_id, role, instance, host, version)
       left join chain.node n on g.role = 'node' and n.key = g.key
       left join chain.measurer m on g.role = 'measurer' and m.key = g.key and m.measurer_id > $7
     ), before as (
       select s.key, s.session_id from app.session s join given using (key)
     ), taken as (
       insert into app.session (key, session_id, role, subject_id, instance, host, version)
       select key, session_id, role, subject_id, instance, host, version from given order by key
       on conflict (key) do update set session_id = excluded.session_id, role = excluded.role,
         subject_id = excluded.subject_id, instance = excluded.instance, host = excluded.host, version = excluded.version,
         connected_at = now(), last_seen_at = now(), cpu_load = null, free_disk_gib = null, running = '{}', sick_gpus = '[]'
     ), returned as (
       update app.absence a set back_at = now() from given
       where given.role = 'node' and a.node_id = given.subject_id and a.back_at is null
     )
     select given.key, given.subject_id, before.session_id::text as replaced from given left join before using (key)`,
    [
      newSessions.map((one) => one.key),
      newSessions.map((one) => one.id),
      newSessions.map((one) => one.role),
      newSessions.map((one) => one.instance),
      newSessions.map((one) => one.host),
      newSessions.map((one) => one.version),
      before.measurers,
    ],
  );
  const replaced = rows.flatMap((row) => (row.replaced === null ? [] : [row.replaced]));
  const notices = ["session"];
  for (let start = 0; start < replaced.length; start += idsInNotice) {
    notices.push(`${replacedNotice}${replaced.slice(start, start + idsInNotice).join(",")}`);
  }
  await pool.query("select pg_notify('app_changed', notice) from unnest($1::text[]) as notice", [notices]);
  return new Map(rows.flatMap((row) => (row.subject_id === null ? [] : [[row.key, row.subject_id]])));
}

/** Stores the node or measurer id of a session opened before its registration. Ends the absence of the node. */
export async function recordSubject(pool: Database, sessionId: string, subjectId: number): Promise<void> {
  await pool.query(
    `with named as (
       update app.session set subject_id = $2 where session_id = $1 returning role
     )
     update app.absence set back_at = now() from named
     where named.role = 'node' and node_id = $2::int and back_at is null`,
    [sessionId, subjectId],
  );
  await pool.query("select pg_notify('app_changed', 'session')");
}

export type SessionState = {
  id: string;
  cpuLoad: number | null;
  freeDiskGib: number | null;
  running: string[];
  sickGpus: SickGpuReport[];
};

/**
 * Writes the state of sessions and the time of their last contact.
 *
 * @returns ids of those that were not replaced, and whose key is still their node's
 */
export async function persistSessions(pool: Database, seen: SessionState[]): Promise<Set<string>> {
  if (seen.length === 0) return new Set();
  const { rows } = await pool.query<{ session_id: string }>(
    `update app.session s set last_seen_at = now(), cpu_load = coalesce(v.cpu_load, s.cpu_load),
       free_disk_gib = coalesce(v.free_disk_gib, s.free_disk_gib),
       running = array(select jsonb_array_elements_text(v.running)), sick_gpus = v.sick_gpus
     from unnest($1::uuid[], $2::double precision[], $3::double precision[], $4::jsonb[], $5::jsonb[])
       as v (id, cpu_load, free_disk_gib, running, sick_gpus)
     where s.session_id = v.id and not exists (
       select from chain.node n where s.role = 'node' and n.node_id = s.subject_id and n.key <> s.key)
     returning s.session_id`,
    [
      seen.map((one) => one.id),
      seen.map((one) => one.cpuLoad),
      seen.map((one) => one.freeDiskGib),
      seen.map((one) => JSON.stringify(one.running)),
      seen.map((one) => JSON.stringify(one.sickGpus)),
    ],
  );
  return new Set(rows.map((row) => row.session_id));
}

export type Live = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  percent: number;
  bytesPerSecond: number;
};

/** Stores live progress of a download, if the node holds the lease. */
export async function writeLive(pool: Database, nodeId: number, live: Live): Promise<void> {
  await pool.query(
    `insert into app.live_progress (workspace_id, replica, lease, percent, bytes_per_second)
     select $2::int8, $3::int4, $4::int8, $5, $6 where exists (select from chain.assignment
       where workspace_id = $2::int8 and replica = $3::int4 and lease = $4::int8 and node_id = $1)
     on conflict (workspace_id, replica, lease) do update
       set percent = excluded.percent, bytes_per_second = excluded.bytes_per_second, updated_at = now()`,
    [nodeId, live.workspaceId, live.replica, live.lease, live.percent, live.bytesPerSecond],
  );
}
