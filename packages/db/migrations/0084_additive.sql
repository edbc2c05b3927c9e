-- Up Migration
-- Additive
-- Which migrations a service built before them may run on. One that nobody recorded counts as breaking.

alter table app.migration add column additive boolean not null default false;

-- Down Migration
