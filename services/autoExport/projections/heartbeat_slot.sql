-- key: slot
-- Heartbeat slots that were committed.
create table heartbeat_slot (
  slot bigint not null,
  encoding text not null,
  node_count integer not null,
  bits text not null
);
-- What corrects the bits, by the slots it is about.
create index on event_heartbeat_disputed (slot);
create index on event_presence_challenged (last_slot);

-- on HeartbeatsCommitted
select slot, block_number, log_index, jsonb_build_object(
  'encoding', encoding, 'node_count', node_count, 'bits', bits) as patch
from event
