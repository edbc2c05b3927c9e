import type { AssignmentState, Desired, Milestone, Policy } from "@ngpu/contracts-sdk/enumNames";
import type { Queryable } from "@ngpu/db/pool";
import type { Hex } from "viem";
import type { Tier } from "./escrow.ts";

export type ImageRow = {
  digest: Hex;
  owner: string;
  size_bytes: bigint;
  chunk_root: string;
  reference: string;
  /** The size is that of the verified manifest. */
  verified: boolean;
  tier: Tier;
};

/** Whether any account registered an image. @param generation Generation of the DockerContract. */
export async function isRegistered(db: Queryable, digest: string, generation: number): Promise<boolean> {
  const { rowCount } = await db.query("select from chain.image where digest = $1 and generation = $2", [
    digest,
    generation,
  ]);
  return rowCount !== 0;
}

export type NewImage = { digest: string; sizeBytes: bigint; chunkRoot: string; reference: string };

/** Stores a partner's facts of an image. */
export async function putImage(
  db: Queryable,
  wallet: string,
  image: NewImage & { verified: boolean },
): Promise<void> {
  await db.query(
    `insert into app.image (wallet, digest, size_bytes, chunk_root, reference, verified)
     values ($1, $2, $3, $4, $5, $6) on conflict (wallet, digest) do update set size_bytes = excluded.size_bytes,
       chunk_root = excluded.chunk_root, reference = excluded.reference, verified = excluded.verified`,
    [wallet, image.digest, image.sizeBytes, image.chunkRoot, image.reference, image.verified],
  );
}

/**
 * Images registered with one DockerContract, in the order of their digests, after `after`. The facts of the partner's own images
 * are its own.
 */
export async function listImages(
  db: Queryable,
  of: { wallet: string; generation: number },
  limit: number,
  after: string,
): Promise<ImageRow[]> {
  const { rows } = await db.query<ImageRow>(
    `select image.digest, coalesce(own.wallet, image.owner) as owner,
       coalesce(own.size_bytes, image.size_bytes)::numeric as size_bytes,
       coalesce(own.chunk_root, image.chunk_root) as chunk_root, coalesce(own.reference, image.reference) as reference,
       coalesce(own.verified, false) as verified, chain.tier(image.block_number) as tier
     from chain.image left join app.image as own on own.digest = image.digest and own.wallet = $4
     where image.digest > $1 and image.generation = $2 order by image.digest limit $3`,
    [after, of.generation, limit, of.wallet],
  );
  return rows;
}

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
