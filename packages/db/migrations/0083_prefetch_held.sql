-- Up Migration
-- Additive
-- An image that a node had before it was asked is no hit; and one that was there when it was assigned is one, though it was taken off since.

alter table app.prefetch drop constraint prefetch_status_check;
-- held: it was there already, by no prefetch
alter table app.prefetch add constraint prefetch_status_check
  check (status in ('requested', 'present', 'held', 'failed', 'evicted'));
-- newest exported block when the node said that it had taken the image off
alter table app.prefetch add column evicted_block numeric(20);

-- Down Migration
