-- key: node_id, generation
-- sums: earned, refunded, collected, burned
-- What nodes earned, and what became of it.
create table node_earning (
  node_id integer not null,
  generation smallint not null,
  earned numeric(78,0) not null,
  refunded numeric(78,0) not null,
  collected numeric(78,0) not null,
  -- The fee.
  burned numeric(78,0) not null
);

-- on Settled
select node_id, generation, block_number, log_index, '{}'::jsonb as patch, amount as earned, 0 as refunded, 0 as collected,
  0 as burned
from event

-- on Refunded
select node_id, generation, block_number, log_index, '{}'::jsonb, 0, amount, 0, 0 from event

-- on Collected
select node_id, generation, block_number, log_index, '{}'::jsonb, 0, 0, amount, fee from event
