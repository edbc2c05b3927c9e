-- Up Migration
-- Additive
-- Bonds of nodes: the withheld part of their first rewards.

-- Bonds of nodes after each epoch that changed them. The newest row of a node is its current bond.
create table app.node_bond (
  node_id bigint not null,
  number bigint not null references app.epoch on delete cascade,
  -- Account that received the node's rewards in this epoch.
  account text not null,
  withheld numeric(78, 0) not null check (withheld >= 0),
  -- Days of uptime served.
  days integer not null check (days >= 0),
  -- The epoch that returned the bond; null before.
  served_in bigint,
  primary key (node_id, number)
);
create index node_bond_account on app.node_bond (account);
create index node_bond_number on app.node_bond (number);

grant select, insert on app.node_bond to ngpu_pomc;
grant select on app.node_bond to ngpu_api;

-- Down Migration
