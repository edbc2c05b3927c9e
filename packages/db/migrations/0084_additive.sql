-- Up Migration
-- Additive
-- Whether a service built before the migration can run on it. An unrecorded migration counts as breaking.

alter table app.migration add column additive boolean not null default false;

-- Down Migration
