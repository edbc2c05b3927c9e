-- key: node_id
-- Compute nodes.
create table node (
  node_id integer not null,
  key text not null,
  -- Null: no wallet is bound.
  wallet text,
  gpu_model text not null,
  gpu_name text not null,
  gpu_count integer not null,
  vram_mib integer not null,
  compute_capability integer not null,
  cpu_milli integer not null,
  memory_mib integer not null,
  disk_gib integer not null,
  ports integer not null,
  -- Null: not declared.
  region text,
  price_per_second numeric(78,0) not null,
  status text not null,
  gpu_uuids text[] not null,
  registered_block bigint not null
);
create index on node (key);
create index on node_past (node_id, valid_from);

-- on NodeRegistered
select node_id, block_number, log_index, jsonb_build_object(
  'key', key, 'wallet', account(wallet), 'status', 'online', 'gpu_uuids', to_jsonb(gpu_uuids),
  'registered_block', block_number, 'gpu_name', gpu_name, 'price_per_second', price_per_second,
  'gpu_model', spec_gpu_model, 'vram_mib', spec_vram_mib, 'compute_capability', spec_compute_capability,
  'region', region(spec_region), 'gpu_count', spec_total_gpus, 'cpu_milli', spec_total_cpu_milli,
  'memory_mib', spec_total_memory_mib, 'disk_gib', spec_total_disk_gib, 'ports', spec_total_ports) as patch
from event

-- on NodeSpecUpdated
select node_id, block_number, log_index, jsonb_build_object(
  'gpu_name', gpu_name, 'price_per_second', price_per_second,
  'gpu_model', spec_gpu_model, 'vram_mib', spec_vram_mib, 'compute_capability', spec_compute_capability,
  'region', region(spec_region), 'gpu_count', spec_total_gpus, 'cpu_milli', spec_total_cpu_milli,
  'memory_mib', spec_total_memory_mib, 'disk_gib', spec_total_disk_gib, 'ports', spec_total_ports)
from event

-- on NodeStatusChanged
select node_id, block_number, log_index, jsonb_build_object('status', status) from event

-- on NodeWalletSet
select node_id, block_number, log_index, jsonb_build_object('wallet', account(wallet)) from event
