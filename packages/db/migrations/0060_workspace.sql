-- Up Migration
-- Additive
-- What workspace and dispense have under way between the market's wish and the chain's answer.

-- One row for each step that was sent to the chain: who retries it, and when it may be tried again.
create table app.step (
  key text primary key,
  workspace_id numeric(20) not null,
  -- counts up when a settled step is tried again; the key and this number name one transaction
  attempt integer not null default 1,
  tx_hash text,
  -- block of the transaction: the step is under way until that block is exported
  block_number numeric(20),
  -- why the chain refused the last attempt
  refusal text,
  refusals integer not null default 0,
  settled boolean not null default false,
  wait_until timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index step_of_workspace on app.step (workspace_id);
create index step_updated on app.step (updated_at);

-- Placements that go to the chain in one `assign`. A batch without settled_at is resumed by any instance once its claim ran out.
create table app.assign_batch (
  batch_id uuid primary key,
  claimed_until timestamptz not null,
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  tx_hash text,
  block_number numeric(20)
);
create index assign_batch_open on app.assign_batch (claimed_until) where settled_at is null;

-- The placements of a batch, in the order of the call.
create table app.assign_item (
  request_id uuid primary key references app.placement (request_id) on delete cascade,
  batch_id uuid not null references app.assign_batch (batch_id) on delete cascade,
  position integer not null,
  -- name of the error that the chain refused it with
  refused_with text,
  unique (batch_id, position)
);

-- Two instances of dispense never ask for the same replica at once.
create unique index placement_in_progress on app.placement (workspace_id, replica) where status in ('requested', 'answered');
create index placement_answered on app.placement (answered_at);

-- Leases that were taken from a node because it did not get them running, with the reason.
create table app.replacement (
  workspace_id numeric(20) not null,
  replica integer not null,
  lease bigint not null,
  node_id bigint not null,
  reason text not null,
  created_at timestamptz not null default now(),
  primary key (workspace_id, replica, lease)
);

grant select, insert, update, delete on app.step to ngpu_workspace, ngpu_dispense;
grant select, insert, update, delete on app.assign_batch, app.assign_item, app.replacement to ngpu_dispense;
grant select on app.assign_batch, app.assign_item, app.replacement to ngpu_workspace, ngpu_api;

grant select on app.live_progress to ngpu_dispense;

-- Down Migration
