import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { refuseUnwanted } from "./refusedPlacements.ts";
import { departing, requiresTransfer, transfers } from "./transfers.ts";

type AssignItem = {
  requestId: string;
  workspaceId: bigint;
  replica: number;
  nodeId: number;
  /** The block of the decision, and the node's price at it. A node whose price has risen since is refused. */
  decidedAt: bigint;
  pricePerSecond: bigint;
  /** Earlier placements of the workspace that the block does not include, and the nodes that the decision excluded. */
  position: number;
  excluded: number[];
};

/** Answered placements sent in one transaction, in this order. */
export type AssignBatch = { batchId: string; items: AssignItem[] };

// Longer than the sender waits for a transaction receipt. Afterwards any instance may claim the batch. The batches of a process that
// has ended are released earlier.
const claimSeconds = 150;

/** Maximum placements in one batch, and maximum concurrent image transfers to one node. */
export type BatchLimits = {
  batchSize: number;
  perNode: number;
  deployment: Deployment;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
};

/**
 * Claims the next batch: one whose claim has expired, else a new one with answered placements of one contract. A placement is
 * never part of two batches.
 *
 * @returns Null when there is nothing to assign.
 */
export function takeBatch(pool: Database, limits: BatchLimits): Promise<AssignBatch | null> {
  return transaction(pool, async (db) => {
    const expired = await db.query<{ batch_id: string }>(
      `update app.assign_batch set claimed_until = now() + make_interval(secs => $1), runner = $2
       where batch_id = (
         select batch_id from app.assign_batch where settled_at is null and claimed_until <= now()
         order by created_at limit 1 for update skip locked)
       returning batch_id`,
      [claimSeconds, limits.runner],
    );
    const batchId = expired.rows[0]?.batch_id ?? (await newBatch(db, limits));
    return batchId === null ? null : { batchId, items: await loadItems(db, batchId) };
  });
}

/**
 * SQL: answered placements that need no transfer, or whose node has room for one more. A placement whose node is busy stays
 * answered until one of the node's transfers has ended.
 */
const assignable = `
  select request_id from (
    select request_id, node_id, needs_transfer,
      count(*) filter (where needs_transfer) over (partition by node_id order by answered_at, request_id) as turn
    from (
      select waiting.*, ${requiresTransfer("waiting")} as needs_transfer from app.placement as waiting
      where waiting.status = 'answered' and waiting.node_id is not null
    ) as waiting
  ) as ranked
  left join (
    select node_id, count(*) as busy
    from (select node_id from (${transfers}) as t union all (${departing})) as in_progress group by node_id
  ) as load using (node_id)
  where not needs_transfer or turn + coalesce(load.busy, 0) <= $2`;

async function newBatch(
  db: Queryable,
  { batchSize, perNode, deployment, runner }: BatchLimits,
): Promise<string | null> {
  // One instance creates a batch at a time, so each sees the items and transfers of the previous batches.
  await db.query("select pg_advisory_xact_lock(hashtextextended('assign_batch', 0))");
  await refuseUnwanted(db);
  const answered = await db.query<{ request_id: string; workspace_id: bigint }>(
    `select request_id, workspace_id::int8 from app.placement as placement
     where status = 'answered' and node_id is not null
       and not exists (select from app.assign_item as item where item.request_id = placement.request_id)
       and request_id in (${assignable})
     order by answered_at limit $1 for update skip locked`,
    [batchSize, perNode],
  );
  // Placements of other contracts stay answered for the next batch.
  const idsOf = (row: { workspace_id: bigint }) => ({ workspaceId: row.workspace_id });
  const [rows] = byContract(deployment, "DockerContract", answered.rows, idsOf).values();
  if (rows === undefined) return null;
  const requestIds = rows.map((row) => row.request_id);
  return insertBatch(db, requestIds, runner);
}

async function insertBatch(
  db: Queryable,
  requestIds: readonly string[],
  runner: bigint,
): Promise<string | null> {
  const made = await db.query<{ batch_id: string }>(
    `with batch as (
       insert into app.assign_batch (batch_id, claimed_until, runner)
       values (gen_random_uuid(), now() + make_interval(secs => $2), $3) returning batch_id)
     insert into app.assign_item (request_id, batch_id, position)
     select request_id, batch.batch_id, position - 1
     from batch, unnest($1::uuid[]) with ordinality as item (request_id, position)
     returning batch_id`,
    [requestIds, claimSeconds, runner],
  );
  return made.rows[0]?.batch_id ?? null;
}

async function loadItems(db: Queryable, batchId: string): Promise<AssignItem[]> {
  const found = await db.query<{
    request_id: string;
    workspace_id: bigint;
    replica: number;
    node_id: number;
    block_number: bigint;
    price_per_second: bigint;
    position: number;
    excluded: number[];
  }>(
    `select request_id, workspace_id::int8, replica, placement.node_id, coalesce(placement.block_number, 0)::int8 as block_number,
       coalesce(node.price_per_second, 0)::numeric as price_per_second, coalesce(placement.position, 0)::int4 as position,
       placement.excluded::int4[]
     from app.assign_item join app.placement as placement using (request_id)
     left join chain.node_history as node on node.node_id = placement.node_id
       and node.valid_from <= placement.block_number
       and (node.valid_to is null or node.valid_to > placement.block_number)
     where batch_id = $1 order by app.assign_item.position`,
    [batchId],
  );
  return found.rows.map((row) => ({
    requestId: row.request_id,
    workspaceId: row.workspace_id,
    replica: row.replica,
    nodeId: row.node_id,
    decidedAt: row.block_number,
    pricePerSecond: row.price_per_second,
    position: row.position,
    excluded: row.excluded,
  }));
}
