-- key: number, generation
-- Reward roots that were posted.
create table epoch (
  number bigint not null,
  generation smallint not null,
  root text not null,
  total numeric(78,0) not null,
  data_hash text not null,
  -- Unix seconds from which the root can be claimed against.
  activates_at bigint not null,
  disabled boolean not null
);
create index on event_epoch_posted (number);

-- on EpochPosted
select number, generation, block_number, log_index, jsonb_build_object(
  'root', root, 'total', total, 'data_hash', data_hash, 'activates_at', activates_at, 'disabled', false) as patch
from event

-- on EpochDisabled
select number, generation, block_number, log_index, jsonb_build_object('disabled', true) from event

-- on EpochAttested
select number, generation, block_number, log_index, jsonb_build_object('activates_at', activates_at) from event
