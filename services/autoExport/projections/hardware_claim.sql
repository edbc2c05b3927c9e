-- key: node_id, generation
-- What nodes claim about their devices, for waves of the proof of hardware.
create table hardware_claim (
  node_id integer not null,
  generation smallint not null,
  -- A word for each device (packages/waves/claims.ts).
  devices text[] not null,
  -- Seconds: a later claim has a later deadline.
  deadline numeric(78,0) not null,
  claimed_block bigint not null
);

-- on HardwareClaimed
select node_id, generation, block_number, log_index, jsonb_build_object(
  'devices', to_jsonb(devices), 'deadline', deadline, 'claimed_block', block_number) as patch
from event
