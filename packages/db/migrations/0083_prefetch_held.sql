-- Up Migration
-- Additive
-- An image that a node already had before the request is not a hit. An image that was present at the assignment is a
-- hit, even if it was removed later.

alter table app.prefetch drop constraint prefetch_status_check;
-- held: the node already had the image, not because of a prefetch
alter table app.prefetch add constraint prefetch_status_check
  check (status in ('requested', 'present', 'held', 'failed', 'evicted'));
-- newest exported block when the node reported that it had removed the image
alter table app.prefetch add column evicted_block numeric(20);

-- Down Migration
