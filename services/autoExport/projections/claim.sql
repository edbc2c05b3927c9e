-- key: account, generation
create table claim_history (
  account text not null,
  generation smallint not null,
  claimed numeric(78,0) not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (account, generation, valid_from)
);

-- on Claimed
select account, generation, block_number, log_index, jsonb_build_object('claimed', cumulative) as patch from event

-- on ClaimedMany
-- a grant is 20 bytes of account and 12 of the cumulative amount
select '0x' || substr(grants, 3 + place, 40), generation, block_number, log_index,
  jsonb_build_object('claimed', ('0x' || substr(grants, 43 + place, 24))::numeric)
from event, generate_series(0, length(grants) - 66, 64) as place
