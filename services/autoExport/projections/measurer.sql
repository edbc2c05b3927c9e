-- key: measurer_id
create table measurer_history (
  measurer_id integer not null,
  key text not null,
  wallet text,
  region text,
  valid_from bigint not null,
  valid_to bigint,
  primary key (measurer_id, valid_from)
);
create index on measurer_history (key);

-- on MeasurerRegistered
select measurer_id, block_number, log_index, jsonb_build_object(
  'key', key, 'wallet', account(wallet), 'region', region(region)) as patch
from event
