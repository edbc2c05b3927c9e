-- key: workspace_id
-- Workspaces that were published.
create table workspace (
  workspace_id bigint not null,
  generation smallint not null,
  owner text not null,
  authorization_id bigint not null,
  image text not null,
  replicas integer not null,
  policy text not null,
  grace_seconds integer not null,
  max_price_per_second numeric(78,0) not null,
  gpu_model text not null,
  min_vram_mib integer not null,
  min_compute_capability integer not null,
  region text,
  gpus integer not null,
  cpu_milli integer not null,
  memory_mib integer not null,
  disk_gib integer not null,
  ports integer not null,
  -- Unix seconds; 0 is never.
  expires_at bigint not null,
  config_hash text not null,
  -- The configuration as it was published.
  config text not null,
  status text not null,
  -- The owner stopped it: no replica is assigned or started until it is started again.
  stopped boolean not null,
  published_block bigint not null,
  published_tx text not null
);
create index on workspace (owner);
-- What the autoscaler reads every second.
create index on workspace (workspace_id) where status = 'open' and config like '%"scaling":%';
create index on workspace_past (workspace_id, valid_from);

-- on WorkspacePublished
select workspace_id, block_number, log_index, jsonb_build_object(
  'generation', generation, 'owner', owner, 'authorization_id', authorization_id, 'image', image, 'replicas', replicas,
  'policy', spec_policy, 'grace_seconds', spec_grace_seconds, 'max_price_per_second', spec_max_price_per_second,
  'gpu_model', spec_gpu_model, 'min_vram_mib', spec_min_vram_mib,
  'min_compute_capability', spec_min_compute_capability, 'region', region(spec_region),
  'gpus', spec_resources_gpus, 'cpu_milli', spec_resources_cpu_milli, 'memory_mib', spec_resources_memory_mib,
  'disk_gib', spec_resources_disk_gib, 'ports', spec_resources_ports, 'expires_at', spec_expires_at,
  'config_hash', spec_config_hash, 'config', config, 'status', 'open', 'stopped', false,
  'published_block', block_number, 'published_tx', tx_hash) as patch
from event

-- on WorkspaceUpdated
select workspace_id, block_number, log_index, jsonb_build_object(
  'image', image, 'max_price_per_second', spec_max_price_per_second,
  'gpu_model', spec_gpu_model, 'min_vram_mib', spec_min_vram_mib,
  'min_compute_capability', spec_min_compute_capability, 'region', region(spec_region),
  'gpus', spec_resources_gpus, 'cpu_milli', spec_resources_cpu_milli, 'memory_mib', spec_resources_memory_mib,
  'disk_gib', spec_resources_disk_gib, 'ports', spec_resources_ports, 'expires_at', spec_expires_at,
  'config_hash', spec_config_hash, 'config', config)
from event

-- on ReplicasSet
select workspace_id, block_number, log_index, jsonb_build_object('replicas', replicas) from event

-- on StoppedSet
select workspace_id, block_number, log_index, jsonb_build_object('stopped', stopped) from event

-- on WorkspaceClosed
select workspace_id, block_number, log_index, jsonb_build_object('status', 'closed') from event
