-- Up Migration
-- Additive
-- Operations of workspace and dispense in progress on the chain.

-- Steps that were sent to the chain, with the time from which each may be retried.
create table app.step (
  key text primary key,
  workspace_id numeric(20) not null,
  -- incremented when a settled step is retried; key and attempt identify one transaction
  attempt integer not null default 1,
  tx_hash text,
  -- block of the transaction; the step is in progress until that block is exported
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

-- Batches of placements, each sent in one `assign`. Any instance resumes an unsettled batch after its claim expires.
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
  -- name of the custom error if the chain refused the item
  refused_with text,
  unique (batch_id, position)
);

-- A replica has at most one open placement request, even with several instances of dispense.
create unique index placement_in_progress on app.placement (workspace_id, replica) where status in ('requested', 'answered');
create index placement_answered on app.placement (answered_at);

-- Leases that were removed from a node because it did not start them, with the reason.
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
