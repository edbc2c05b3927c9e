import type pg from "pg";

/**
 * Schema chain with the projections that the services under test read, as plain tables with the columns of docs/rooms.md: for tests
 * that say by themselves what stands on the chain. What autoExport makes of a real chain is tested with it.
 */
export async function createChainTables(db: Pick<pg.Pool, "query">): Promise<void> {
  await db.query(tables);
  await db.query("grant select on all tables in schema chain to ngpu_reader");
}

/** Inserts a row whose columns are the object's keys. */
export async function insertRow(
  db: Pick<pg.Pool, "query">,
  table: string,
  row: Record<string, unknown>,
): Promise<void> {
  const names = Object.keys(row);
  const places = names.map((_name, index) => `$${index + 1}`);
  await db.query(
    `insert into ${table} (${names.join(", ")}) values (${places.join(", ")})`,
    Object.values(row),
  );
}

const tables = `
create table chain.block (
  number bigint primary key, hash text not null, parent_hash text not null, time timestamptz not null);
create table chain.head (tier text primary key, number bigint not null, hash text not null);
create function chain.tier(block_number bigint) returns text stable language sql as $$
  select case
    when block_number <= (select number from chain.head where tier = 'finalized') then 'finalized'
    when block_number <= (select number from chain.head where tier = 'safe') then 'safe'
    else 'unsafe' end
$$;
create table chain.node (
  node_id bigint primary key, key text not null, wallet text, gpu_model text not null default '0x0000000000000000',
  gpu_name text not null default '', gpu_count int not null default 0, vram_mib int not null default 0,
  compute_capability int not null default 0, cpu_milli int not null default 8000, memory_mib int not null default 16384,
  disk_gib int not null default 100, ports int not null default 16, region text, price_per_second numeric(78,0) not null default 0,
  status text not null default 'online', gpu_uuids text[] not null default '{}', registered_block bigint not null default 1,
  block_number bigint not null default 1);
create table chain.image (
  digest text primary key, owner text not null, size_bytes numeric(78,0) not null, chunk_root text not null,
  reference text not null, block_number bigint not null default 1);
create table chain.workspace (
  workspace_id numeric(78,0) primary key, owner text not null, authorization_id numeric(78,0) not null default 1,
  image text not null, replicas int not null default 1, policy text not null default 'available', grace_seconds int not null default 60,
  max_price_per_second numeric(78,0) not null default 0, gpu_model text not null default '0x0000000000000000',
  min_vram_mib int not null default 0, min_compute_capability int not null default 0, region text,
  gpus int not null default 0, cpu_milli int not null default 100, memory_mib int not null default 64,
  disk_gib int not null default 1, ports int not null default 1, expires_at bigint not null default 0,
  config_hash text not null default '0x', config text not null default '{}', status text not null default 'open',
  published_block bigint not null default 1, published_tx text not null default '0x', block_number bigint not null default 1);
create table chain.assignment (
  workspace_id numeric(78,0) not null, replica int not null, lease bigint not null, node_id bigint not null,
  fence text not null default '0x0000000000000000', state text not null default 'assigned', desired text not null default 'run',
  price_per_second numeric(78,0) not null default 0, sequence bigint not null default 0,
  detail text not null default '0x${"0".repeat(64)}', assigned_block bigint not null default 1,
  assigned_block_hash text not null default '0x', lost_until bigint, release_reason text, block_number bigint not null default 1,
  primary key (workspace_id, replica, lease));
create table chain.progress (
  workspace_id numeric(78,0) not null, replica int not null, lease bigint not null, node_id bigint not null,
  milestone text not null, block_number bigint not null default 1, primary key (workspace_id, replica, lease));
create table chain.measurer (
  measurer_id bigint primary key, key text not null, wallet text, region text, block_number bigint not null default 1);
create table chain.measurement (
  round_id numeric(78,0) primary key, node_id bigint not null, status text not null, commitments text[] not null default '{}',
  opens_at bigint not null, closes_at bigint not null, submissions int not null default 0, down_mbps bigint, up_mbps bigint,
  latency_tenth_ms bigint, ports_reachable int, disk_free_gib bigint, disk_write_mibps bigint, expires_at bigint,
  block_number bigint not null default 1);
create table chain.spending_authorization (
  authorization_id numeric(78,0) primary key, owner text not null, delegate text not null, max_rate numeric(78,0) not null,
  total numeric(78,0) not null, scope text not null, expiry bigint not null, revoked boolean not null default false,
  block_number bigint not null default 1);
create table chain.escrow_account (
  account text primary key, deposited numeric(78,0) not null default 0, withdrawn numeric(78,0) not null default 0,
  settled numeric(78,0) not null default 0, block_number bigint not null default 1);
create table chain.lease (
  workspace_id numeric(78,0) not null, replica int not null, lease bigint not null, node_id bigint not null,
  authorization_id numeric(78,0) not null, rate numeric(78,0) not null, running boolean not null default false,
  clock_since bigint not null default 0, settled numeric(78,0) not null default 0, closed boolean not null default false,
  close_reason text, block_number bigint not null default 1, primary key (workspace_id, replica, lease));
create table chain.node_earning (
  node_id bigint primary key, earned numeric(78,0) not null, collected numeric(78,0) not null, block_number bigint not null default 1);
create table chain.epoch (
  number numeric(78,0) primary key, root text not null, total numeric(78,0) not null, data_hash text not null,
  activates_at bigint not null, disabled boolean not null default false, block_number bigint not null default 1);
create table chain.claim (account text primary key, claimed numeric(78,0) not null, block_number bigint not null default 1);
create table chain.heartbeat_slot (
  slot numeric(78,0) primary key, encoding text not null, node_count int not null, bits text not null,
  block_number bigint not null default 1);
`;
