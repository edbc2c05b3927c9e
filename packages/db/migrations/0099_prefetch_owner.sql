-- Up Migration
-- Additive

-- The partner for whose workspaces the image is prefetched: limits are per partner. Empty: ordered by a service built before.
alter table app.prefetch add column owner text not null default '';

-- Down Migration
alter table app.prefetch drop column owner;
