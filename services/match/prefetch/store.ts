import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { FleetBlock } from "@ngpu/placement/fleet";
import type { PopularImage, PrefetchStep, RequestedImage } from "./decide.ts";

/** Delay before an image is ordered again from a node that failed or evicted it. */
const retryDelay = "interval '1 hour'";
/** As in a workspace's configuration. The contract accepts any text. */
const imageName = /^[a-z0-9][a-z0-9._:/-]{0,254}$/;
/** Time after which an order without a result has failed. */
const answerTimeout = "interval '30 minutes'";

/** A popular image with the workspace of its newest assignment, which serves as the typical one. */
export type ImageOfWorkspace = Omit<PopularImage, "sizeBytes"> & { workspaceId: bigint };

/** The images with the most assignments since a block. Images without a name in the workspace's configuration are omitted. */
export async function readPopular(db: Queryable, since: bigint, limit: number): Promise<ImageOfWorkspace[]> {
  const { rows } = await db.query<{
    image: string;
    name: string;
    owner: string;
    assignments: number;
    workspace_id: bigint;
  }>(
    `with recent as (
       select w.image, count(*)::int as assignments,
         (array_agg(e.workspace_id order by e.block_number desc, e.workspace_id desc))[1] as workspace_id
       from chain.event_assigned e join chain.workspace w using (workspace_id)
       where e.block_number > $1 group by w.image
     )
     select recent.image, w.owner, assignments, workspace_id::numeric,
       substring(w.config from '"image"\\s*:\\s*"([^"@]+)"') as name
     from recent join chain.workspace w using (workspace_id)
     order by assignments desc, recent.image limit $2`,
    [since, limit],
  );
  return rows.flatMap(({ image, name, owner, assignments, workspace_id: workspaceId }) =>
    name === null || !imageName.test(name)
      ? []
      : [{ image, reference: `${name}@sha256:${image.slice(2)}`, owner, assignments, workspaceId }],
  );
}

/** Prefetched images that are in progress, present, or too recent to be ordered again. Fails orders that timed out. */
export async function readRequestedImages(db: Queryable): Promise<RequestedImage[]> {
  await db.query(
    `update app.prefetch set status = 'failed', reason = 'no answer', settled_at = now()
     where status = 'requested' and requested_at < now() - ${answerTimeout}`,
  );
  const { rows } = await db.query<RequestedImage>(
    `select node_id as "nodeId", image, reference, owner, size_bytes::numeric as "sizeBytes", status = 'requested' as "inProgress"
     from app.prefetch where status in ('requested', 'present') or settled_at > now() - ${retryDelay}`,
  );
  return rows;
}

/** Number of downloads in progress for leases, by node. */
export async function readLeaseTransfers(db: Queryable): Promise<Map<number, number>> {
  const { rows } = await db.query<{ node_id: number; count: number }>(
    `select node_id::int, count(*)::int as count from chain.assignment
     where state = 'assigned' and release_reason is null group by node_id`,
  );
  return new Map(rows.map((row) => [row.node_id, row.count]));
}

/** Orders images. The instances that hold the sessions deliver the orders. */
export async function requestImages(db: Queryable, steps: readonly PrefetchStep[]): Promise<void> {
  if (steps.length === 0) return;
  await db.query(
    `insert into app.prefetch as prefetch (node_id, image, reference, owner, size_bytes)
     select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::numeric[])
     on conflict (node_id, image) do update set status = 'requested', reason = null, requested_at = now(), settled_at = null, settled_block = null,
       evicted_block = null, reference = excluded.reference, owner = excluded.owner where prefetch.status not in ('requested', 'present')`,
    [
      steps.map((step) => step.nodeId),
      steps.map((step) => step.image),
      steps.map((step) => step.reference),
      steps.map((step) => step.owner),
      steps.map((step) => step.sizeBytes),
    ],
  );
  await db.query("select pg_notify('app_changed', 'prefetch')");
}

export type PrefetchOrder = {
  nodeId: number;
  image: string;
  reference: string;
  sizeBytes: bigint;
  at: string;
};

/** Orders without a result. */
export async function pendingPrefetchOrders(db: Queryable): Promise<PrefetchOrder[]> {
  const { rows } = await db.query<PrefetchOrder>(
    `select node_id as "nodeId", image, reference, size_bytes::numeric as "sizeBytes", requested_at::text as at
     from app.prefetch where status = 'requested' order by requested_at`,
  );
  return rows;
}

export type PrefetchResult = {
  image: string;
  outcome: "present" | "held" | "failed" | "evicted";
  reason?: string | undefined;
};

/** Records the result of an order; false when there is no such order, or its result is recorded already. */
export async function settle(db: Queryable, nodeId: number, result: PrefetchResult): Promise<boolean> {
  const { rowCount } = await db.query(
    `update app.prefetch set status = $3, reason = $4, settled_at = now(),
       settled_block = case when $3 = 'evicted' then settled_block else head.number end,
       evicted_block = case when $3 = 'evicted' then head.number end
     from chain.head where head.tier = 'unsafe' and node_id = $1 and image = $2 and status = any($5)`,
    [
      nodeId,
      result.image,
      result.outcome,
      result.reason ?? null,
      result.outcome === "evicted" ? ["present"] : ["requested"],
    ],
  );
  return rowCount === 1;
}

type Tally = { hits: number; misses: number };

/**
 * Counts the assignments since the last count. A hit went to a node that had the image because of a prefetch. A miss went to
 * a node without the image: not prefetched, not from an earlier lease, and not reported as held. The first call only stores
 * the starting block.
 */
export async function countHits(pool: Database, head: FleetBlock): Promise<Tally> {
  return transaction(pool, async (db) => {
    await db.query("insert into app.prefetch_tally (counted_block) values ($1) on conflict do nothing", [
      head.number,
    ]);
    const { rows } = await db.query<{ counted: bigint }>(
      "select counted_block::numeric as counted from app.prefetch_tally for update",
    );
    const counted = rows[0]?.counted ?? head.number;
    const found = await db.query<Tally>(
      `select count(*) filter (where prefetched)::int as hits, count(*) filter (where not prefetched and not had)::int as misses
       from (
         select coalesce(p.status in ('present', 'evicted') and p.settled_block < e.block_number
             and (p.evicted_block is null or p.evicted_block > e.block_number), false) as prefetched,
           coalesce(p.status = 'held', false) or exists (
             select from chain.assignment a join chain.workspace o on o.workspace_id = a.workspace_id
             where a.node_id = e.node_id and o.image = w.image and a.assigned_block < e.block_number) as had
         from chain.event_assigned e join chain.workspace w using (workspace_id)
         left join app.prefetch p on p.node_id = e.node_id and p.image = w.image
         where e.block_number > $1 and e.block_number <= $2
       ) as one`,
      [counted, head.number],
    );
    const tally = found.rows[0] ?? { hits: 0, misses: 0 };
    await db.query(
      "update app.prefetch_tally set counted_block = greatest(counted_block, $1), hits = hits + $2, misses = misses + $3",
      [head.number, tally.hits, tally.misses],
    );
    return tally;
  });
}
