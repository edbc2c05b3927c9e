-- Up Migration
-- Additive

-- Processes that hold the advisory lock of a number for the work that they began. Whoever releases a process's work as abandoned
-- deletes its row, so a process that lost its connection for a while knows whether its work is still its own.
create table app.runner (
  runner bigint primary key,
  name text not null,
  started_at timestamptz not null default now()
);
grant select, insert, delete on app.runner to ngpu_api, ngpu_dispense, ngpu_workspace, ngpu_webhooks;

-- Down Migration
drop table app.runner;
