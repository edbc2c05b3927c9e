-- key: round_id
-- sums: submissions
-- Measurement rounds.
create table measurement (
  round_id bigint not null,
  node_id integer not null,
  status text not null,
  -- Root over the draws.
  draws text not null,
  draw_block bigint not null,
  opens_at bigint not null,
  closes_at bigint not null,
  submissions integer not null,
  absent boolean,
  down_mbps bigint,
  up_mbps bigint,
  latency_tenth_ms bigint,
  ports_reachable integer,
  disk_free_gib bigint,
  disk_write_mibps bigint,
  expires_at bigint
);
create index on measurement (node_id);
create index on measurement_past (node_id);
create index on measurement (draws);
create index on event_measure_submitted (round_id);

-- on MeasureRequested
select round_id, block_number, log_index, jsonb_build_object(
  'node_id', node_id, 'status', 'requested', 'draws', draws, 'draw_block', draw_block,
  'opens_at', opens_at, 'closes_at', closes_at) as patch, 0 as submissions
from event

-- on MeasureSubmitted
select round_id, block_number, log_index, jsonb_build_object('status', 'submitted'), 1 from event

-- on MeasureFinalized
select round_id, block_number, log_index, jsonb_build_object(
  'status', 'finalized', 'expires_at', expires_at, 'absent', median_absent,
  'down_mbps', median_down_mbps, 'up_mbps', median_up_mbps, 'latency_tenth_ms', median_latency_tenth_ms,
  'ports_reachable', median_ports_reachable, 'disk_free_gib', median_disk_free_gib,
  'disk_write_mibps', median_disk_write_mibps), 0
from event

-- on MeasureFailed
select round_id, block_number, log_index, jsonb_build_object('status', 'failed'), 0 from event
