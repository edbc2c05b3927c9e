-- Up Migration
-- Additive

-- Commands that partners have run in containers of their workspaces: who, where, what, and how it ended.
create table app.exec_session (
  id uuid primary key,
  workspace_id numeric(20) not null,
  replica integer not null,
  -- Null until a node has taken the order.
  lease bigint,
  node_id integer,
  wallet text not null,
  -- The API key that ran it.
  key_id text not null,
  command text[] not null,
  tty boolean not null,
  created_at timestamptz not null default now(),
  -- Since when no client is attached. Null: one is.
  left_at timestamptz default now(),
  ended_at timestamptz,
  -- As packages/protocol/exec.ts lists them. Null: it has not ended, or its end is not known.
  end_reason text,
  exit_code integer
);

create index exec_session_order on app.exec_session (workspace_id, created_at desc);

grant select, insert, update on app.exec_session to ngpu_api;

-- Down Migration
drop table app.exec_session;
