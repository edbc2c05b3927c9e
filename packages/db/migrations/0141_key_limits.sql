-- Up Migration
-- Additive

alter table app.api_key
  -- Calls a minute. Null: the API's own limit.
  add column rate_per_minute integer,
  -- What the key may spend a day, in token units. Null: any amount.
  add column spend_per_day numeric(78,0),
  -- The first of the keys that were rotated into this one: they share their limits. Null: this one.
  add column rotated_from text;

-- What tasks of keys with a limit have cost, by UTC day.
create table app.key_spending (
  -- The first of the keys that share the limit.
  key_id text not null references app.api_key,
  day date not null,
  amount numeric(78,0) not null,
  primary key (key_id, day)
);

-- What keys with a limit have ordered: the workspaces, at their highest price.
create table app.key_workspace (
  id uuid primary key,
  -- The first of the keys that share the limit.
  key_id text not null references app.api_key,
  -- Null: it is being published.
  workspace_id numeric(20,0),
  -- Token units a second of all its replicas.
  rate numeric(78,0) not null,
  created_at timestamptz not null default now(),
  unique (key_id, workspace_id)
);
grant select, insert, update, delete on app.key_spending, app.key_workspace to ngpu_api;

-- Down Migration
drop table app.key_workspace, app.key_spending;
alter table app.api_key drop column rate_per_minute, drop column spend_per_day, drop column rotated_from;
