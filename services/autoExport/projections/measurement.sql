-- key: round_id
-- sums: submissions
create table measurement_history (
  round_id bigint not null,
  node_id integer not null,
  status text not null,
  commitments text[] not null,
  opens_at bigint not null,
  closes_at bigint not null,
  submissions integer not null,
  down_mbps bigint,
  up_mbps bigint,
  latency_tenth_ms bigint,
  ports_reachable integer,
  disk_free_gib bigint,
  disk_write_mibps bigint,
  expires_at bigint,
  valid_from bigint not null,
  valid_to bigint,
  primary key (round_id, valid_from)
);
create index on measurement_history (node_id);
create index on event_measure_committed (round_id);
create index on event_measure_submitted (round_id);

-- on MeasureRequested
select round_id, block_number, log_index, jsonb_build_object(
  'node_id', node_id, 'status', 'requested', 'commitments', '[]'::jsonb,
  'opens_at', opens_at, 'closes_at', closes_at) as patch, 0 as submissions
from event

-- on MeasureCommitted
-- all commitments up to this one; a round that has a result already is not set back
select round_id, block_number, log_index, jsonb_build_object(
  'commitments', (
    select jsonb_agg(earlier.commitment order by earlier.block_number, earlier.log_index)
    from event_measure_committed as earlier
    where earlier.round_id = event.round_id
      and (earlier.block_number, earlier.log_index) <= (event.block_number, event.log_index)
  ),
  'status', case when exists (
    select from event_measure_submitted as earlier
    where earlier.round_id = event.round_id
      and (earlier.block_number, earlier.log_index) < (event.block_number, event.log_index)
  ) then 'submitted' else 'committed' end), 0
from event

-- on MeasureSubmitted
select round_id, block_number, log_index, jsonb_build_object('status', 'submitted'), 1 from event

-- on MeasureFinalized
select round_id, block_number, log_index, jsonb_build_object(
  'status', 'finalized', 'expires_at', expires_at,
  'down_mbps', median_down_mbps, 'up_mbps', median_up_mbps, 'latency_tenth_ms', median_latency_tenth_ms,
  'ports_reachable', median_ports_reachable, 'disk_free_gib', median_disk_free_gib,
  'disk_write_mibps', median_disk_write_mibps), 0
from event
