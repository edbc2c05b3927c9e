-- key: measurer_id
-- Measurement nodes.
create table measurer (
  measurer_id integer not null,
  key text not null,
  wallet text,
  region text,
  -- Whether it can be drawn. Null: not yet.
  admitted boolean
);
create index on measurer (key);

-- on MeasurerRegistered
select measurer_id, block_number, log_index, jsonb_build_object(
  'key', key, 'wallet', account(wallet), 'region', region(region)) as patch
from event

-- on MeasurerAdmissionSet
select measurer_id, block_number, log_index, jsonb_build_object('admitted', admitted) from event
