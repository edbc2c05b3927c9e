-- key: workspace_id, replica, lease
-- sums: settled, from_lock, refunded, burned
-- The money side of each lease.
create table lease (
  workspace_id bigint not null,
  replica integer not null,
  lease integer not null,
  generation smallint not null,
  node_id integer not null,
  authorization_id bigint not null,
  rate numeric(78,0) not null,
  -- What it set aside when it was opened, and what of that was paid to the node or burned.
  lock numeric(78,0) not null,
  from_lock numeric(78,0) not null,
  -- What it costs: see Leases.sol.
  clock text not null,
  -- Whether its account owes the rate.
  running boolean not null,
  -- Unix seconds of the last settlement or change of the clock.
  clock_since bigint,
  settled numeric(78,0) not null,
  refunded numeric(78,0) not null,
  -- What was burned of the lock, for a replica that the node waited for.
  burned numeric(78,0) not null,
  closed boolean not null,
  -- Null while the lease is open.
  close_reason text
);
create index on lease (authorization_id);
create index on lease_past (workspace_id, replica, lease, valid_from);

-- on LeaseOpened
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'generation', generation, 'node_id', node_id, 'authorization_id', authorization_id, 'rate', rate,
  'lock', lock, 'clock', 'new', 'running', false, 'closed', false) as patch, 0 as settled, 0 as from_lock, 0 as refunded,
  0 as burned
from event

-- on LeaseClockSet
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'clock', clock, 'running', clock in ('running', 'stopping', 'ending'), 'clock_since', since), 0, 0, 0, 0
from event

-- on Settled
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'clock_since', settled_at), amount, from_lock, 0, 0
from event

-- on LeaseClosed
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'clock', 'closed', 'running', false, 'closed', true, 'close_reason', reason), 0, 0, 0, 0
from event

-- on Refunded
select workspace_id, replica, lease, block_number, log_index, '{}'::jsonb, 0, 0, amount, 0 from event

-- on WaitCharged
select workspace_id, replica, lease, block_number, log_index, '{}'::jsonb, 0, amount, 0, amount from event
