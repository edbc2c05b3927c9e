-- Up Migration
-- Additive
-- Absent nodes. A row is written when contact to a node is lost, so that no reader scans all nodes.

-- Instances of match. One whose seen_at is several seconds old has died, and its sessions have ended.
create table app.match_instance (
  instance text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create index session_instance on app.session (instance);

-- Absences of nodes. A row exists from the loss of contact until the node has been back for some time.
create table app.absence (
  node_id integer primary key,
  -- session: the connection ended; probe: no response to pings; heartbeat: no heartbeats, but responses to pings
  signal text not null check (signal in ('session', 'probe', 'heartbeat')),
  -- Last contact. If the node had returned only briefly, it is set earlier by the length of the previous absence.
  since timestamptz not null,
  -- Null while the node is absent.
  back_at timestamptz
);

grant select, insert, update, delete on app.match_instance, app.absence to ngpu_match;
grant select on app.match_instance, app.absence to ngpu_api;

-- Down Migration
