-- Up Migration
-- Additive

-- The newest stop or start that a partner ordered for a whole workspace, replicas without a lease included. The chain orders
-- stops and starts only for leases.
create table app.workspace_order (
  workspace_id numeric(20, 0) primary key,
  -- Null: an order is being sent for the first time.
  stopped boolean,
  -- Newest exported block when it was ordered. Later orders on the chain for a lease supersede it for their replica.
  block_number bigint,
  -- Until this time one request sends the workspace's orders; others are refused.
  claimed_until timestamptz not null default now()
);
grant select, insert, update on app.workspace_order to ngpu_api;
grant select on app.workspace_order to ngpu_workspace, ngpu_dispense;

-- Down Migration
drop table app.workspace_order;
