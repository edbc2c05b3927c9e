-- Up Migration
-- Breaking: the chain holds whether a workspace is stopped; a service built before reads it here.

drop table app.workspace_order;

-- The order that a request sends for a workspace: update, scale, stop, start or delete. One at a time.
create table app.workspace_order (
  workspace_id numeric(20, 0) primary key,
  -- Number of the process that sends the order. It holds the advisory lock of this number until it ends. Null: no order is being
  -- sent.
  runner bigint,
  -- The order that is being sent, or the last one.
  claim uuid not null,
  -- Dedupe key of the order's last transaction.
  transaction_key text
);
grant select, insert, update on app.workspace_order to ngpu_api;

-- Down Migration
drop table app.workspace_order;
create table app.workspace_order (
  workspace_id numeric(20, 0) primary key,
  stopped boolean,
  block_number bigint,
  claimed_until timestamptz not null default now()
);
grant select, insert, update on app.workspace_order to ngpu_api;
grant select on app.workspace_order to ngpu_workspace, ngpu_dispense;
