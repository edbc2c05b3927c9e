-- Up Migration
-- Additive

-- When the partner asked to cancel the task. Null: it did not.
alter table app.task add column cancelled_at timestamptz;

-- Down Migration
alter table app.task drop column cancelled_at;
