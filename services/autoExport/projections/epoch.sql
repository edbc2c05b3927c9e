-- key: number, generation
create table epoch_history (
  number bigint not null,
  generation smallint not null,
  root text not null,
  total numeric(78,0) not null,
  data_hash text not null,
  activates_at bigint not null,
  disabled boolean not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (number, generation, valid_from)
);

-- on EpochPosted
select number, generation, block_number, log_index, jsonb_build_object(
  'root', root, 'total', total, 'data_hash', data_hash, 'activates_at', activates_at, 'disabled', false) as patch
from event

-- on EpochDisabled
select number, generation, block_number, log_index, jsonb_build_object('disabled', true) from event
