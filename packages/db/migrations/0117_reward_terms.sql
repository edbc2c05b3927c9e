-- Up Migration
-- Additive
-- The bond grows with a node's rewards.
alter table app.node_bond
  -- Highest reward of an epoch while the bond was withheld.
  add column highest numeric(78, 0) not null default 0 check (highest >= 0);

-- Down Migration
