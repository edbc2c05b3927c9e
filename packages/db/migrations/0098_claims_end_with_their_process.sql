-- Up Migration
-- Additive

-- Number of the process that has the claim; it holds the advisory lock of this number until it ends. Null: claimed by a service built
-- before, whose claim ends by its time.
alter table app.step add column runner bigint;
alter table app.assign_batch add column runner bigint;

-- Down Migration
alter table app.step drop column runner;
alter table app.assign_batch drop column runner;
