-- Up Migration
-- Additive
-- Closed epochs: the document of each root, and each account's leaf with its proof. All of it can be recomputed from
-- schema chain.

-- Closed epochs, with the document that each root is computed from.
create table app.epoch (
  number bigint primary key check (number > 0),
  -- null if nothing was granted so far
  root text,
  total numeric(78, 0) not null check (total >= 0),
  data_hash text not null,
  document jsonb not null,
  closed_at timestamptz not null default now()
);

-- Leaves of the tree of an epoch by account, with their proofs.
create table app.epoch_leaf (
  number bigint not null references app.epoch on delete cascade,
  account text not null,
  cumulative numeric(78, 0) not null check (cumulative > 0),
  proof jsonb not null,
  primary key (number, account)
);
create index epoch_leaf_account on app.epoch_leaf (account, number desc);

grant select, insert on app.epoch, app.epoch_leaf to ngpu_pomc;
grant select on app.epoch, app.epoch_leaf to ngpu_api;

-- Down Migration
