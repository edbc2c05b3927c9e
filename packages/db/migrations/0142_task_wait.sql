-- Up Migration
-- Additive

-- Until when the task waits for a replica that can take it. Null: without one it is refused.
alter table app.task add column wait_until timestamptz;
create index task_waiting on app.task (workspace_id, created_at, id) where status = 'queued' and wait_until is not null;

-- Down Migration
drop index app.task_waiting;
alter table app.task drop column wait_until;
