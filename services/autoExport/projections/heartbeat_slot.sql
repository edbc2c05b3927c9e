-- key: slot
-- Heartbeat slots that were committed.
create table heartbeat_slot (
  slot bigint not null,
  encoding text not null,
  node_count integer not null,
  bits text not null
);
-- What corrects the bits, by the slots it is about.
create index on event_heartbeats_disputed (slot);
create index on event_presence_challenged (last_slot);
-- The nodes that disputes set, one by one: the bits of a word as in IComputeNode.HeartbeatWord.
create view heartbeat_dispute as
select slot, 256 * word + place + 1 as node_id, block_number, log_index
from event_heartbeats_disputed
cross join generate_series(0, 255) as place
where get_bit(decode(substr(bits, 3), 'hex'), place) = 1;

-- on HeartbeatsCommitted
select slot, block_number, log_index, jsonb_build_object(
  'encoding', encoding, 'node_count', node_count, 'bits', bits) as patch
from event
