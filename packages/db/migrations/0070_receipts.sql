-- Up Migration
-- Additive
-- Task receipts: the leaves of the roots that Pomc stores. Only hashes of a task leave this database.

-- keccak256 of the result with the task id; null until the task has ended.
alter table app.task add column result_hash text;
create index task_served on app.task (finished_at) where node_id is not null;
grant select (result_hash) on app.task to ngpu_pomc;

-- Batches of task receipts, whose roots Pomc stores.
create table app.receipt_batch (
  root text primary key,
  total numeric(78, 0) not null check (total >= 0),
  -- Words in the format of Pomc.commitReceipts.
  node_totals text[] not null,
  payer_totals text[] not null,
  closed_at timestamptz not null default now()
);

-- Task receipts: the leaves of the batches, with their proofs.
create table app.receipt (
  task_id uuid primary key,
  root text not null references app.receipt_batch on delete cascade,
  payer text not null,
  node_id bigint not null,
  workspace_id numeric(20, 0) not null,
  replica integer not null,
  lease bigint not null,
  -- Unix milliseconds.
  finished_at bigint not null,
  duration_ms bigint not null,
  succeeded boolean not null,
  amount numeric(78, 0) not null check (amount >= 0),
  result_hash text not null,
  proof text[] not null
);
create index receipt_root on app.receipt (root);
create index receipt_lease on app.receipt (workspace_id, replica, lease);
create index receipt_payer on app.receipt (payer);
create index receipt_node on app.receipt (node_id);

grant select, insert, delete on app.receipt, app.receipt_batch to ngpu_pomc;
grant select on app.receipt, app.receipt_batch to ngpu_api;

-- Down Migration
