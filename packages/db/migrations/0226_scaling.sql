-- Up Migration
-- Additive

-- Workspaces whose number of replicas is about to fall. Their range is in their configuration, on the chain.
create table app.scaling (
  workspace_id numeric(20) primary key,
  -- Since when fewer replicas are enough. Null: as many as there are, or more, are needed.
  lower_since timestamptz,
  -- The most replicas that were needed since then.
  peak integer not null default 0,
  -- Replicas from this number on take no more requests. Null: all take them.
  drain_from integer,
  drain_since timestamptz,
  -- Code of the error that the last change of the number of replicas ended with.
  refusal text
);
grant select, insert, update, delete on app.scaling to ngpu_api;
grant select on app.scaling to ngpu_gateway;

-- How long the task waited for a replica, in milliseconds. Null: one took it at once.
alter table app.task add column cold_start_ms integer;
grant select (cold_start_ms) on app.task to ngpu_webhooks;
create index task_in_progress on app.task (workspace_id) where status in ('queued', 'running');

-- Down Migration
drop index app.task_in_progress;
alter table app.task drop column cold_start_ms;
drop table app.scaling;
