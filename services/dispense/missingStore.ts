import type { Queryable } from "@ngpu/db/pool";
import {
  type Avoided,
  type MissingReplica,
  nodeErrors,
  type Placement,
  type PlacementLimits,
} from "./decide.ts";

/** SQL: the lease is held. */
export const held = "release_reason is null and state not in ('none', 'deleted', 'released')";

type MissingRow = {
  replica: number;
  status: Placement["status"] | null;
  at: number | null;
  block_number: bigint | null;
  assigned_block: bigint | null;
  attempts: number;
  avoided: Avoided[];
};

/** A workspace may have 65,535 replicas. All of them have the same requirements, so the first ones decide for the others. */
const maxMissing = 1_000;

/** SQL: the newest placement request of the replica, with the block that assigned it. */
const lastRequest = `
  select placement.status, batch.block_number::int8 as assigned_block, placement.block_number::int8,
    extract(epoch from greatest(requested_at, answered_at, batch.settled_at))::float8 as at
  from app.placement as placement
  left join app.assign_item as item using (request_id)
  left join app.assign_batch as batch using (batch_id)
  where placement.workspace_id = $1::int8 and placement.replica = wanted.replica
  order by requested_at desc limit 1`;

/** SQL: the recent assignments of the replica that the chain refused, with the nodes that caused a refusal. */
const refusedAssignments = `
  select count(*) filter (where item.refused_with is distinct from 'WorkspaceIsStopped') as attempts,
    jsonb_agg(jsonb_build_object(
      'nodeId', placement.node_id, 'cause', 'refused', 'at', extract(epoch from batch.settled_at)
    )) filter (where item.refused_with = any($3)) as nodes
  from app.placement as placement
  join app.assign_item as item using (request_id)
  join app.assign_batch as batch using (batch_id)
  where placement.workspace_id = $1::int8 and placement.replica = wanted.replica and placement.status = 'refused'
    and requested_at > now() - make_interval(secs => $2)`;

/** SQL: the nodes that recently lost the replica: dispense replaced it, or anyone ended its lease because the node did not act in time. */
const replacedNodes = `
  select jsonb_agg(jsonb_build_object('nodeId', node_id, 'cause', 'replaced', 'at', extract(epoch from at))) as nodes
  from (
    select node_id, created_at as at from app.replacement
    where workspace_id = $1::int8 and replica = wanted.replica
    union
    select ended.node_id, block.time from chain.assignment as ended
    join chain.block as block on block.number = ended.block_number
    where ended.workspace_id = $1::int8 and ended.replica = wanted.replica
      and (ended.release_reason = 'silent' or (ended.release_reason = 'late' and ended.desired = 'run'))
  ) as replaced
  where at > now() - make_interval(secs => $4)`;

/** The first replicas of a workspace without a lease, with their placement requests and avoided nodes. */
export async function loadMissing(
  db: Queryable,
  workspaceId: bigint,
  limits: PlacementLimits,
): Promise<MissingReplica[]> {
  const found = await db.query<MissingRow>(
    `select wanted.replica::int4, last.status, last.at, last.block_number, last.assigned_block,
       coalesce(refused.attempts, 0)::int4 as attempts,
       coalesce(refused.nodes, '[]') || coalesce(replaced.nodes, '[]') as avoided
     from chain.workspace as workspace
     cross join lateral generate_series(0, workspace.replicas::int4 - 1) as wanted (replica)
     left join lateral (${lastRequest}) as last on true
     left join lateral (${refusedAssignments}) as refused on true
     left join lateral (${replacedNodes}) as replaced on true
     where workspace.workspace_id = $1::int8 and not exists (
       select from chain.assignment where workspace_id = $1::int8 and replica = wanted.replica and ${held})
     order by wanted.replica limit ${maxMissing}`,
    [workspaceId, limits.attemptsWindow, nodeErrors, limits.avoidReplaced],
  );
  return found.rows.map(missingReplica);
}

function missingReplica({ replica, attempts, avoided, ...last }: MissingRow): MissingReplica {
  if (last.status === null || last.at === null) return { replica, attempts, avoided, last: null };
  const { status, at, block_number: blockNumber, assigned_block: assignedBlock } = last;
  return { replica, attempts, avoided, last: { status, at, blockNumber, assignedBlock } };
}
