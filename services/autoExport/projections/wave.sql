-- key: wave_id
-- Waves of the proof of hardware.
create table wave (
  wave_id bigint not null,
  -- The block that began it.
  fill_block bigint not null,
  fill_hash text not null,
  -- Of the blocks that give the later seeds. Null: not recorded.
  chase_hash text,
  work_hash text,
  audit_hash text
);
create index on event_exceptions_published (wave_id, exceptions);

-- on WaveOpened
select wave_id, block_number, log_index, jsonb_build_object('fill_block', fill_block, 'fill_hash', fill_hash) as patch
from event

-- on WaveSeedsRecorded
select wave_id, block_number, log_index, jsonb_build_object(
  'chase_hash', chase_hash, 'work_hash', work_hash, 'audit_hash', audit_hash)
from event
