-- Up Migration
-- Additive
-- Absent nodes that match declared lost. No replica is placed on them, even before the chain marks them offline.

alter table app.absence
  -- Null while the absence may be short, or while match itself may be disconnected.
  add column lost_at timestamptz;

create index absence_lost on app.absence (node_id) where lost_at is not null and back_at is null;

grant select on app.absence to ngpu_dispense;

-- Down Migration
