import type { AssignmentState, Desired, NodeStatus, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import type { Queryable } from "@ngpu/db/pool";
import { countPresence, type Presence } from "@ngpu/protocol/presence";
import type { SickGpuReport } from "@ngpu/protocol/wire";
import { newestClaim } from "@ngpu/queries/claims";
import { newestSlots, readPresence } from "@ngpu/queries/presence";
import type { Hex } from "viem";
import type { Tier } from "./escrow.ts";

/** A block number above all others: reads the current state. */
const newest = 2n ** 63n - 1n;

export type NodeRow = {
  id: number;
  key: string;
  wallet: string | null;
  nominated_wallet: string | null;
  shares_gpus_with: number[];
  gpu_model: string | null;
  gpu_name: string | null;
  gpu_count: number;
  vram_mib: number;
  compute_capability: number;
  cpu_milli: number;
  memory_mib: number;
  disk_gib: number;
  ports: number;
  region: string | null;
  price_per_second: bigint;
  status: NodeStatus;
  registered_block: string;
  connected: boolean;
  used_gpus: number;
  used_cpu_milli: number;
  used_memory_mib: number;
  used_disk_gib: number;
  used_ports: number;
  tier: Tier;
};

const nodeSelect = `
  select node.node_id::float8 as id, node.key, node.wallet, node.nominated_wallet,
    array(select distinct other.node_id::float8 from chain.node as other
      where other.gpu_uuids && node.gpu_uuids and other.node_id <> node.node_id order by 1 limit 100) as shares_gpus_with,
    node.gpu_model, node.gpu_name, node.gpu_count::int4 as gpu_count,
    node.vram_mib::int4 as vram_mib, node.compute_capability::int4 as compute_capability, node.cpu_milli::int4 as cpu_milli,
    node.memory_mib::int4 as memory_mib, node.disk_gib::int4 as disk_gib, node.ports::int4 as ports, node.region,
    node.price_per_second, node.status, node.registered_block::text, chain.tier(node.block_number) as tier,
    exists (select from app.tunnel where tunnel.node_id = node.node_id and seen_at > now() - interval '1 minute')
      as connected,
    used.*
  from chain.node as node
  cross join lateral (
    select coalesce(sum(workspace.gpus), 0)::float8 as used_gpus,
      coalesce(sum(workspace.cpu_milli), 0)::float8 as used_cpu_milli,
      coalesce(sum(workspace.memory_mib), 0)::float8 as used_memory_mib,
      coalesce(sum(workspace.disk_gib), 0)::float8 as used_disk_gib,
      coalesce(sum(workspace.ports), 0)::float8 as used_ports
    from chain.assignment join chain.workspace as workspace using (workspace_id)
    where assignment.node_id = node.node_id and assignment.release_reason is null) as used`;

export async function findNode(db: Queryable, id: number): Promise<NodeRow | undefined> {
  const { rows } = await db.query<NodeRow>(
    `${nodeSelect} where node.node_id = least($1::numeric, 9223372036854775807)::bigint`,
    [id],
  );
  return rows[0];
}

/** Nodes by their ids; with a wallet only its own, and those that ask for it. */
export async function listNodes(
  db: Queryable,
  limit: number,
  { after, wallet }: { after: string; wallet: string | undefined },
): Promise<NodeRow[]> {
  const { rows } = await db.query<NodeRow>(
    `${nodeSelect} where node.node_id > least($1::numeric, 9223372036854775807)::bigint
       and ($3::text is null or node.wallet = $3 or node.nominated_wallet = $3)
     order by node.node_id limit $2`,
    [after, limit, wallet ?? null],
  );
  return rows;
}

export type NodeLeaseRow = {
  workspace_id: string;
  replica: number;
  lease: number;
  state: AssignmentState;
  desired: Desired;
  release_reason: (typeof releaseReasons)[number] | null;
  price_per_second: bigint;
  assigned_block: string;
  tier: Tier;
};

/** A node's leases, newest first; only those before a place. */
export async function listNodeLeases(
  db: Queryable,
  nodeId: number,
  limit: number,
  before: LeasePlace | undefined,
): Promise<NodeLeaseRow[]> {
  const { rows } = await db.query<NodeLeaseRow>(
    `select workspace_id::text, replica, lease, state, desired, release_reason, price_per_second, assigned_block::text,
       chain.tier(assigned_block) as tier
     from chain.assignment
     where node_id = $1 and ($3::numeric is null
       or (assigned_block, workspace_id, replica, lease) < ($3::numeric, $4::numeric, $5::numeric, $6::numeric))
     order by assigned_block desc, workspace_id desc, replica desc, lease desc limit $2`,
    [nodeId, limit, before?.block ?? null, before?.workspaceId, before?.replica, before?.lease],
  );
  return rows;
}

/** A place in a node's leases. */
export type LeasePlace = { block: string; workspaceId: string; replica: string; lease: string };

/** The devices that a node claims now, and the block of the claim. */
export async function findClaim(
  db: Queryable,
  nodeId: number,
): Promise<{ devices: Hex[]; block: string } | undefined> {
  const { rows } = await db.query<{ devices: Hex[]; block: string }>(
    `select devices, claimed_block::text as block from chain.hardware_claim as claim where node_id = $1
      order by ${newestClaim("claim")} limit 1`,
    [nodeId],
  );
  return rows[0];
}

/** A node's presence in the newest heartbeat slots; without slots committed before its registration. */
export async function findPresence(db: Queryable, nodeId: number, slots: number): Promise<Presence> {
  const facts = await readPresence(db, newest, await newestSlots(db, newest, slots), nodeId);
  return countPresence(facts).get(nodeId) ?? { presentSlots: 0, totalSlots: 0 };
}

export type SessionRow = {
  instance: string;
  connected_at: Date;
  last_seen_at: Date;
  cpu_load: number | null;
  free_disk_gib: number | null;
  running: string[];
  sick_gpus: SickGpuReport[];
};

export async function findSession(db: Queryable, nodeId: number): Promise<SessionRow | undefined> {
  const { rows } = await db.query<SessionRow>(
    `select instance, connected_at, last_seen_at, cpu_load, free_disk_gib, running, sick_gpus
     from app.session where role = 'node' and subject_id = $1`,
    [nodeId],
  );
  return rows[0];
}

/** The names of the market's GPUs, those of most nodes first. Nodes choose them, so their length and number are bounded. */
export async function marketGpuNames(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ gpu_name: string }>(
    `select gpu_name from chain.node where gpu_count > 0 and gpu_name <> '' and length(gpu_name) <= 120
     group by gpu_name order by count(*) desc, gpu_name limit 500`,
  );
  return rows.map((row) => row.gpu_name);
}
