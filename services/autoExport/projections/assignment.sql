-- key: workspace_id, replica, lease
-- Replicas that were given to nodes: one row for each lease.
create table assignment (
  workspace_id bigint not null,
  replica integer not null,
  lease integer not null,
  node_id integer not null,
  fence text not null,
  state text not null,
  desired text not null,
  price_per_second numeric(78,0) not null,
  -- Of the last report: a report with a lower one is stale.
  sequence bigint not null,
  -- What the node's last report adds to its state.
  detail text,
  -- The block whose state the node was chosen by.
  decided_block bigint not null,
  assigned_block bigint not null,
  assigned_block_hash text not null,
  -- Unix seconds until the lease can be released; null while the node is not lost.
  lost_until bigint,
  -- Null while the lease is held.
  release_reason text
);
create index on assignment (node_id);

-- on Assigned
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'node_id', node_id, 'fence', fence, 'state', 'assigned', 'desired', case when start then 'run' else 'hold' end,
  'price_per_second', price_per_second, 'decided_block', decided_at, 'sequence', 0,
  'assigned_block', block_number, 'assigned_block_hash', block_hash) as patch
from event

-- on StartRequested
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object('desired', 'run') from event

-- on StopRequested
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object('desired', 'stop') from event

-- on DeleteRequested
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object('desired', 'delete') from event

-- on StateChanged
-- a report of the node takes back that it was lost
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'state', state, 'sequence', sequence, 'detail', detail, 'lost_until', null)
from event

-- on LeaseLost
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object('lost_until', releasable_at)
from event

-- on Released
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'state', 'released', 'release_reason', reason, 'lost_until', null)
from event
