-- key: account, generation
-- What accounts have claimed of their rewards.
create table claim (
  account text not null,
  generation smallint not null,
  claimed numeric(78,0) not null
);

-- on Claimed
select account, generation, block_number, log_index, jsonb_build_object('claimed', cumulative) as patch from event

-- on ClaimedMany
-- a grant is 20 bytes of account and 12 of the cumulative amount
select '0x' || substr(grants, 3 + place, 40), generation, block_number, log_index,
  jsonb_build_object('claimed', ('0x' || substr(grants, 43 + place, 24))::numeric)
from event, generate_series(0, length(grants) - 66, 64) as place
