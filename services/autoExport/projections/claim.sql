-- key: account
create table claim_history (
  account text not null,
  claimed numeric(78,0) not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (account, valid_from)
);

-- on Claimed
select account, block_number, log_index, jsonb_build_object('claimed', cumulative) as patch from event

-- on ClaimedMany
select '0x' || substr(item, 3, 40), block_number, log_index,
  jsonb_build_object('claimed', ('0x' || substr(item, 43))::numeric)
from event, unnest(grants) as item
