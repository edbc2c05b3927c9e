-- key: node_id
-- sums: earned, collected
create table node_earning_history (
  node_id integer not null,
  earned numeric(78,0) not null,
  collected numeric(78,0) not null,
  valid_from bigint not null,
  valid_to bigint,
  primary key (node_id, valid_from)
);

-- on Settled
select node_id, block_number, log_index, '{}'::jsonb as patch, amount as earned, 0 as collected from event

-- on Collected
select node_id, block_number, log_index, '{}'::jsonb, 0, amount from event
