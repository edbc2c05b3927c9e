-- key: workspace_id, replica, lease
-- How far an image got to the node of a lease.
create table progress (
  workspace_id bigint not null,
  replica integer not null,
  lease integer not null,
  node_id integer not null,
  milestone text not null
);

-- on ProgressReported
select workspace_id, replica, lease, block_number, log_index, jsonb_build_object(
  'node_id', node_id, 'milestone', milestone) as patch
from event
