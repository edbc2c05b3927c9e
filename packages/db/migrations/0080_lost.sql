-- Up Migration
-- Additive
-- Which of the nodes that are away match took for lost, so that nothing goes to them before the chain has them offline.

alter table app.absence
  -- Null while it may only be a flap, or we who are cut off.
  add column lost_at timestamptz;

create index absence_lost on app.absence (node_id) where lost_at is not null and back_at is null;

grant select on app.absence to ngpu_dispense;

-- Down Migration
