-- Up Migration
-- Additive

-- Why replicas do not run, as their nodes report it and services decide it. A repeated reason is counted in its row. Of each
-- workspace the rows that changed last are kept.
create table app.workspace_event (
  id bigint generated always as identity primary key,
  workspace_id numeric(20) not null,
  replica integer not null,
  -- 0: the replica has no lease.
  lease bigint not null,
  -- Null: no node is concerned.
  node_id integer,
  source text not null check (source in ('node', 'market')),
  code text not null,
  -- Hash of the code and of the details that are not evidence.
  reason_key text not null,
  details jsonb not null,
  count bigint not null default 1,
  -- Occurrences that the node's client has counted since its start, so that a repeated report counts once.
  reported integer,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  -- Null while it is so.
  ended_at timestamptz,
  -- Order of the rows' changes within the workspace; cursor of its readers. Given under a lock of the workspace.
  position bigint not null,
  unique (workspace_id, replica, lease, source, reason_key)
);

create index workspace_event_order on app.workspace_event (workspace_id, position);

grant select, insert, update, delete on app.workspace_event to ngpu_match, ngpu_dispense;
grant select on app.workspace_event to ngpu_api;

-- Down Migration
drop table app.workspace_event;
