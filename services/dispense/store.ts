import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { PlacementFacts, PlacementLimits } from "./decide.ts";
import { held, loadMissing } from "./missingStore.ts";
import { sourceOf, transfers } from "./transfers.ts";

type WorkspaceRow = {
  now: number;
  open: boolean;
  head: bigint;
  fleet_changed: bigint;
  distributing: number;
  from_source: number;
  lost: number[];
};

/** Reads the input of decidePlacements() in one snapshot; null when the workspace is not exported. */
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

// The primary key of event tables begins with the block, so each maximum is a single index lookup.
const workspaceQuery = `
  select extract(epoch from now())::float8 as now,
    workspace.status = 'open' and not workspace.stopped
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
     where transfer.source = ${sourceOf("workspace")} and transfer.owner = workspace.owner)::int4 as from_source,
    array(select node_id from app.absence join chain.node using (node_id)
      where lost_at is not null and back_at is null and status = 'online') as lost
  from chain.workspace as workspace
  cross join chain.head as head
  join chain.block as block on block.number = head.number
  where workspace.workspace_id = $1::int8 and head.tier = 'unsafe'`;

/**
 * Stores a placement request.
 *
 * @returns Its id; null when a request for this replica is already in progress.
 */
export async function requestPlacement(
  db: Queryable,
  request: { workspaceId: bigint; replica: number; excluded: number[] },
): Promise<string | null> {
  const requested = await db.query<{ request_id: string }>(
    `insert into app.placement (request_id, workspace_id, replica, excluded)
     values (gen_random_uuid(), $1, $2, $3)
     on conflict do nothing returning request_id`,
    [request.workspaceId, request.replica, request.excluded],
  );
  return requested.rows[0]?.request_id ?? null;
}

/** Requests without an answer, with their age in seconds; match's queue must contain all of them. */
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
       extract(epoch from now() - requested_at)::float8 as seconds
     from app.placement where status = 'requested'`,
  );
  return found.rows;
}

/** Open workspaces with a replica that has no lease and no request in progress, but had a request before. */
export async function unplaced(db: Queryable): Promise<bigint[]> {
  const found = await db.query<{ workspace_id: bigint }>(
    `select distinct placement.workspace_id::int8
     from app.placement as placement
     join chain.workspace as workspace on workspace.workspace_id = placement.workspace_id::int8
     where placement.status in ('impossible', 'refused', 'used') and workspace.status = 'open' and not workspace.stopped
       and placement.replica < workspace.replicas
       and not exists (
         select from chain.assignment as held
         where held.workspace_id = placement.workspace_id::int8 and held.replica = placement.replica and ${held})
       and not exists (
         select from app.placement as later
         where later.workspace_id = placement.workspace_id and later.replica = placement.replica
           and later.requested_at > placement.requested_at)`,
  );
  return found.rows.map((row) => row.workspace_id);
}

export type Answer = {
  requestId: string;
  workspaceId: bigint;
  replica: number;
  status: "answered" | "impossible";
  /** The rejected nodes as counted by match. */
  refusals: unknown;
  /** Time of the answer in microseconds; `since` of the next call. */
  cursor: string;
};

/** Placements answered after `since`, oldest first. If `since` is null, none, and a cursor at the current time. */
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
