-- Up Migration
-- Additive
-- Who is away: written when a node is no longer heard, so that nobody has to look at all nodes to know.

-- Instances of match; one that was not seen for some seconds has died, and its sessions with it.
create table app.match_instance (
  instance text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create index session_instance on app.session (instance);

-- A row from the moment a node is missed until it was back for a while.
create table app.absence (
  node_id integer primary key,
  -- session: the connection ended; probe: it does not answer pings; heartbeat: it answers, but does not beat
  signal text not null check (signal in ('session', 'probe', 'heartbeat')),
  -- When it was last heard; after a short return, as long before it left again as it had been away.
  since timestamptz not null,
  -- Null while it is away.
  back_at timestamptz
);

grant select, insert, update, delete on app.match_instance, app.absence to ngpu_match;
grant select on app.match_instance, app.absence to ngpu_api;

-- Down Migration
