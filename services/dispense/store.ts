import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import {
  type Avoided,
  type MissingReplica,
  nodeFaults,
  type Placement,
  type PlacementFacts,
  type PlacementLimits,
} from "./decide.ts";
import { sourceOf, transfers } from "./transfers.ts";

const held = "release_reason is null and state not in ('none', 'deleted', 'released')";

type WorkspaceRow = {
  now: number;
  open: boolean;
  head: bigint;
  fleet_changed: bigint;
  distributing: number;
  from_source: number;
  lost: number[];
};

/** Everything decidePlacements() needs of one workspace, at one moment; null when the chain does not know it. */
export function loadPlacementFacts(
  db: Database,
  workspaceId: bigint,
  limits: PlacementLimits,
): Promise<PlacementFacts | null> {
  return transaction(db, async (connection) => {
    await connection.query("set transaction isolation level repeatable read, read only");
    const found = await connection.query<WorkspaceRow>(workspaceQuery, [workspaceId]);
    const workspace = found.rows[0];
    if (workspace === undefined) return null;
    const { now, open, head, distributing } = workspace;
    const missing = await loadMissing(connection, workspaceId, limits);
    const { fleet_changed: fleetChanged, from_source: fromSource, lost } = workspace;
    return { now, open, head, distributing, lost, fromSource, fleetChanged, missing, limits };
  });
}

// The primary key of event tables begins with the block, so each of these maxima is one look at an index.
const workspaceQuery = `
  select extract(epoch from now())::float8 as now,
    workspace.status = 'open'
      and (workspace.expires_at = 0 or extract(epoch from block.time) <= workspace.expires_at) as open,
    head.number::int8 as head,
    coalesce(greatest(
      (select max(block_number) from chain.event_node_registered),
      (select max(block_number) from chain.event_node_spec_updated),
      (select max(block_number) from chain.event_node_status_changed),
      (select max(block_number) from chain.event_measure_finalized),
      (select max(block_number) from chain.event_released)), 0)::int8 as fleet_changed,
    (select count(*) from chain.assignment
     where workspace_id = $1::int8 and state = 'assigned' and release_reason is null)::int4 as distributing,
    (select count(*) from (${transfers}) as transfer
     where transfer.source = ${sourceOf("workspace")})::int4 as from_source,
    array(select node_id from app.absence join chain.node using (node_id)
      where lost_at is not null and back_at is null and status = 'online') as lost
  from chain.workspace as workspace
  cross join chain.head as head
  join chain.block as block on block.number = head.number
  where workspace.workspace_id = $1::int8 and head.tier = 'unsafe'`;

type MissingRow = {
  replica: number;
  status: Placement["status"] | null;
  at: number | null;
  block_number: bigint | null;
  assigned_block: bigint | null;
  tries: number;
  avoided: Avoided[];
};

async function loadMissing(
  db: Queryable,
  workspaceId: bigint,
  limits: PlacementLimits,
): Promise<MissingReplica[]> {
  const found = await db.query<MissingRow>(
    `select wanted.replica::int4, last.status, last.at, last.block_number, last.assigned_block,
       coalesce(refused.tries, 0)::int4 as tries,
       coalesce(refused.nodes, '[]') || coalesce(replaced.nodes, '[]') as avoided
     from chain.workspace as workspace
     cross join lateral generate_series(0, workspace.replicas::int4 - 1) as wanted (replica)
     left join lateral (
       select placement.status, batch.block_number::int8 as assigned_block, placement.block_number::int8,
         extract(epoch from greatest(asked_at, answered_at, batch.settled_at))::float8 as at
       from app.placement as placement
       left join app.assign_item as item using (request_id)
       left join app.assign_batch as batch using (batch_id)
       where placement.workspace_id = $1::int8 and placement.replica = wanted.replica
       order by asked_at desc limit 1
     ) as last on true
     left join lateral (
       select count(*) as tries,
         jsonb_agg(jsonb_build_object(
           'nodeId', placement.node_id, 'cause', 'refused', 'at', extract(epoch from batch.settled_at)
         )) filter (where item.refused_with = any($3)) as nodes
       from app.placement as placement
       join app.assign_item as item using (request_id)
       join app.assign_batch as batch using (batch_id)
       where placement.workspace_id = $1::int8 and placement.replica = wanted.replica and placement.status = 'refused'
         and asked_at > now() - make_interval(secs => $2)
     ) as refused on true
     left join lateral (
       select jsonb_agg(jsonb_build_object(
         'nodeId', node_id, 'cause', 'replaced', 'at', extract(epoch from created_at))) as nodes
       from app.replacement
       where workspace_id = $1::int8 and replica = wanted.replica and created_at > now() - make_interval(secs => $4)
     ) as replaced on true
     where workspace.workspace_id = $1::int8 and not exists (
       select from chain.assignment where workspace_id = $1::int8 and replica = wanted.replica and ${held})
     order by wanted.replica`,
    [workspaceId, limits.triesWindow, nodeFaults, limits.avoidReplaced],
  );
  return found.rows.map(({ replica, tries, avoided, ...last }) => ({
    replica,
    tries,
    avoided,
    last:
      last.status === null || last.at === null
        ? null
        : {
            status: last.status,
            at: last.at,
            blockNumber: last.block_number,
            assignedBlock: last.assigned_block,
          },
  }));
}

/**
 * Records the request for a node.
 *
 * @returns Its id; null when another instance has one under way for this replica.
 */
export async function askPlacement(
  db: Queryable,
  request: { workspaceId: bigint; replica: number; excluded: number[] },
): Promise<string | null> {
  const asked = await db.query<{ request_id: string }>(
    `insert into app.placement (request_id, workspace_id, replica, excluded)
     values (gen_random_uuid(), $1, $2, $3)
     on conflict do nothing returning request_id`,
    [request.workspaceId, request.replica, request.excluded],
  );
  return asked.rows[0]?.request_id ?? null;
}

/** Requests without an answer, with their age in seconds: what the queue of match must hold. */
export async function unanswered(
  db: Queryable,
): Promise<{ requestId: string; workspaceId: bigint; replica: number; seconds: number }[]> {
  const found = await db.query<{
    requestId: string;
    workspaceId: bigint;
    replica: number;
    seconds: number;
  }>(
    `select request_id as "requestId", workspace_id::int8 as "workspaceId", replica,
       extract(epoch from now() - asked_at)::float8 as seconds
     from app.placement where status = 'asked'`,
  );
  return found.rows;
}

/** Open workspaces with a replica that has no lease and no request under way, but had one before. */
export async function unplaced(db: Queryable): Promise<bigint[]> {
  const found = await db.query<{ workspace_id: bigint }>(
    `select distinct placement.workspace_id::int8
     from app.placement as placement
     join chain.workspace as workspace on workspace.workspace_id = placement.workspace_id::int8
     where placement.status in ('impossible', 'refused', 'used') and workspace.status = 'open'
       and placement.replica < workspace.replicas
       and not exists (
         select from chain.assignment as held
         where held.workspace_id = placement.workspace_id::int8 and held.replica = placement.replica and ${held})
       and not exists (
         select from app.placement as later
         where later.workspace_id = placement.workspace_id and later.replica = placement.replica
           and later.asked_at > placement.asked_at)`,
  );
  return found.rows.map((row) => row.workspace_id);
}

export type Answer = {
  requestId: string;
  workspaceId: bigint;
  replica: number;
  status: "answered" | "impossible";
  /** match's account of the nodes that did not fit. */
  refusals: unknown;
  /** Place in time, to the microsecond; `since` of the next look. */
  cursor: string;
};

/** What match answered after `since`, oldest first; without it, from now on. */
export async function answeredSince(
  db: Queryable,
  since: string | null,
): Promise<{ answers: Answer[]; cursor: string }> {
  const found = await db.query<Answer>(
    `select request_id as "requestId", workspace_id::int8 as "workspaceId", replica,
       case when status = 'impossible' then 'impossible' else 'answered' end as status,
       case when status = 'impossible' then refusals end as refusals, answered_at::text as cursor
     from app.placement where answered_at > $1::timestamptz order by answered_at limit 1000`,
    [since],
  );
  const last = found.rows.at(-1)?.cursor ?? since;
  if (last !== null) return { answers: found.rows, cursor: last };
  const clock = await db.query<{ cursor: string }>("select now()::text as cursor");
  return { answers: [], cursor: clock.rows[0]?.cursor ?? "-infinity" };
}
