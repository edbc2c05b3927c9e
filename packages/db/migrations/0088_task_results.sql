-- Up Migration
-- Additive
-- A task whose client left before its end is aborted. An older apiServer only shows the status.

alter table app.task drop constraint task_status_check;
alter table app.task add constraint task_status_check
  check (status in ('queued', 'running', 'succeeded', 'failed', 'aborted'));

-- A container's response as it was received; result is what a task's JSON shows of it.
create table app.task_result (
  task_id uuid primary key references app.task on delete cascade,
  body bytea not null,
  content_type text,
  content_encoding text
);
grant select, insert, update, delete on app.task_result to ngpu_api;

-- Down Migration
