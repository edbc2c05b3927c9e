-- Up Migration
-- Additive
-- What pomc withheld of nodes' first rewards: a node's bond after each epoch that changed it. The newest row is how it stands.

-- A node's bond after each epoch that changed it; the newest row is its state.
create table app.node_bond (
  node_id bigint not null,
  number bigint not null references app.epoch on delete cascade,
  -- Where the node's rewards went then.
  account text not null,
  withheld numeric(78, 0) not null check (withheld >= 0),
  -- Days of uptime served.
  days integer not null check (days >= 0),
  -- The epoch that returned it; null before.
  served_in bigint,
  primary key (node_id, number)
);
create index node_bond_account on app.node_bond (account);
create index node_bond_number on app.node_bond (number);

grant select, insert on app.node_bond to ngpu_pomc;
grant select on app.node_bond to ngpu_api;

-- Down Migration
