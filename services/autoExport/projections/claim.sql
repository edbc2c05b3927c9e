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
-- a grant is 20 bytes of account and 12 of the cumulative amount; the pattern reads the bytes once, `substr` would for each grant
select '0x' || parts[1], generation, block_number, log_index,
  jsonb_build_object('claimed', ('0x' || parts[2])::numeric)
from event cross join lateral regexp_matches(substr(grants, 3), '([0-9a-f]{40})([0-9a-f]{24})', 'g') as parts
