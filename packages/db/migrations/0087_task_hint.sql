-- Up Migration
-- Additive
-- What the partner can do about the task's error.

alter table app.task add column error_hint text;

-- Down Migration

alter table app.task drop column error_hint;
