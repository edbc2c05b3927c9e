-- key: node_id
-- Compute nodes.
create table node (
  node_id integer not null,
  -- Zero: its key is revoked.
  key text not null,
  -- Null: no wallet is bound.
  wallet text,
  -- Asked for by the node, and not bound: the wallet has not consented. Null: none.
  nominated_wallet text,
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
  -- Labels that the node gives to its GPUs. Nodes that name the same one are in node_gpu_shared.
  gpu_uuids text[] not null,
  registered_block bigint not null
);
create index on node (key);
create index on node using gin (gpu_uuids);
create index on node_past (node_id, valid_from);

-- The labels that several nodes give to a GPU: one machine under several names, or a false label.
create view node_gpu_shared as
select gpu_uuid, array_agg(distinct node_id order by node_id) as node_ids
from node cross join lateral unnest(gpu_uuids) as gpu_uuid
group by gpu_uuid having count(distinct node_id) > 1;

-- on NodeRegistered
select node_id, block_number, log_index, jsonb_build_object(
  'key', key, 'wallet', case when is_bound then account(wallet) end,
  'nominated_wallet', case when not is_bound then account(wallet) end, 'status', 'online', 'gpu_uuids', to_jsonb(gpu_uuids),
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
select node_id, block_number, log_index, jsonb_build_object('wallet', account(wallet), 'nominated_wallet', null)
from event

-- on NodeWalletNominated
select node_id, block_number, log_index, jsonb_build_object('nominated_wallet', account(wallet))
from event

-- on NodeKeySet
select node_id, block_number, log_index, jsonb_build_object('key', key) from event
