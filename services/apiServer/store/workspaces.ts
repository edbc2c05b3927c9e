import type { AssignmentState, Desired, Milestone, Policy } from "@ngpu/contracts-sdk/enumNames";
import type { Queryable } from "@ngpu/db/pool";
import type { Tier } from "./escrow.ts";

export type WorkspaceRow = {
  id: string;
  name: string | null;
  authorization_id: string;
  image: string;
  replicas: number;
  policy: Policy;
  grace_seconds: number;
  max_price_per_second: bigint;
  gpu_model: string | null;
  min_vram_mib: number;
  min_compute_capability: number;
  region: string | null;
  gpus: number;
  cpu_milli: number;
  memory_mib: number;
  disk_gib: number;
  expires_at: number;
  config: string;
  status: "open" | "closed";
  stopped: boolean;
  published_block: string;
  published_tx: string;
  published_at: number | null;
  tier: Tier;
};

const workspaceColumns = `
  workspace.workspace_id::text as id, named.name, workspace.authorization_id::text, workspace.image,
  workspace.replicas::int4 as replicas, workspace.policy, workspace.grace_seconds::int4 as grace_seconds,
  workspace.max_price_per_second, workspace.gpu_model, workspace.min_vram_mib::int4 as min_vram_mib,
  workspace.min_compute_capability::int4 as min_compute_capability, workspace.region, workspace.gpus::int4 as gpus,
  workspace.cpu_milli::int4 as cpu_milli, workspace.memory_mib::int4 as memory_mib,
  workspace.disk_gib::int4 as disk_gib, workspace.expires_at::float8 as expires_at, workspace.config,
  workspace.status, workspace.stopped, workspace.published_block::text, workspace.published_tx,
  extract(epoch from block.time)::float8 as published_at, chain.tier(workspace.block_number) as tier`;
const workspaceSource = `
  chain.workspace as workspace
  left join app.workspace_name as named using (workspace_id)
  left join chain.block as block on block.number = workspace.published_block`;

/** The wallet's workspace with this id. */
export async function findWorkspace(
  db: Queryable,
  wallet: string,
  id: string,
): Promise<WorkspaceRow | undefined> {
  const { rows } = await db.query<WorkspaceRow>(
    `select ${workspaceColumns} from ${workspaceSource} where workspace.owner = $1 and workspace.workspace_id = $2::numeric`,
    [wallet, id],
  );
  return rows[0];
}

/** The wallet's newest workspace with this name; an open one if there is any. */
export async function findWorkspaceByName(
  db: Queryable,
  wallet: string,
  name: string,
): Promise<WorkspaceRow | undefined> {
  const { rows } = await db.query<WorkspaceRow>(
    `select ${workspaceColumns} from ${workspaceSource}
     where workspace.owner = $1 and named.wallet = $1 and named.name = $2
     order by workspace.status = 'open' desc, workspace.workspace_id desc limit 1`,
    [wallet, name],
  );
  return rows[0];
}

/** The wallet's workspaces, newest first; only those before id `before`. */
export async function listWorkspaces(
  db: Queryable,
  wallet: string,
  limit: number,
  before: string | undefined,
): Promise<WorkspaceRow[]> {
  const { rows } = await db.query<WorkspaceRow>(
    `select ${workspaceColumns} from ${workspaceSource}
     where workspace.owner = $1 and ($2::numeric is null or workspace.workspace_id < $2::numeric)
     order by workspace.workspace_id desc limit $3`,
    [wallet, before ?? null, limit],
  );
  return rows;
}

export async function nameWorkspace(db: Queryable, id: string, wallet: string, name: string): Promise<void> {
  await db.query(
    "insert into app.workspace_name (workspace_id, wallet, name) values ($1::numeric, $2, $3) on conflict do nothing",
    [id, wallet, name],
  );
}

export type ReplicaRow = {
  workspace_id: string;
  replica: number;
  lease: number;
  node_id: number;
  state: AssignmentState;
  desired: Desired;
  price_per_second: bigint;
  /** Detail of the last report; null before the first one. */
  detail: string | null;
  release_reason: string | null;
  milestone: Milestone | null;
  percent: number | null;
  region: string | null;
  gpu_name: string | null;
  host: string | null;
  tier: Tier;
};

/** The highest lease of each replica of these workspaces, with its node, progress and the host of its node. */
export async function listReplicas(db: Queryable, workspaceIds: string[]): Promise<ReplicaRow[]> {
  const { rows } = await db.query<ReplicaRow>(
    `select distinct on (held.workspace_id, held.replica)
       held.workspace_id::text, held.replica::int4 as replica, held.lease::float8 as lease, held.node_id::float8 as node_id,
       held.state, held.desired, held.price_per_second, held.detail, held.release_reason, progress.milestone,
       live.percent, node.region, node.gpu_name, session.host, chain.tier(held.block_number) as tier
     from chain.assignment as held
     left join chain.progress as progress using (workspace_id, replica, lease)
     left join app.live_progress as live using (workspace_id, replica, lease)
     left join chain.node as node on node.node_id = held.node_id
     left join app.session as session on session.role = 'node' and session.subject_id = held.node_id
     where held.workspace_id = any($1::numeric[])
     order by held.workspace_id, held.replica, held.lease desc`,
    [workspaceIds],
  );
  return rows;
}

export type PlacementRow = {
  request_id: string;
  replica: number;
  status: string;
  node_id: number | null;
  block_number: string | null;
  refusals: unknown;
  refusal: string | null;
  requested_at: Date;
};

/** The newest placement of each replica. */
export async function listPlacements(db: Queryable, workspaceId: string): Promise<PlacementRow[]> {
  const { rows } = await db.query<PlacementRow>(
    `select distinct on (replica) request_id, replica, status, node_id, block_number::text, refusals, refusal, requested_at
     from app.placement where workspace_id = $1::numeric order by replica, requested_at desc`,
    [workspaceId],
  );
  return rows;
}
