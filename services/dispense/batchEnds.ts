import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";
import type { AssignBatch } from "./batches.ts";

/** Why the chain refused an item; `error` is the name of the contract's error. */
export type Refusal = { error: string; text: string };

/** Records the result of each item of a batch: `used` with the transaction, or `refused` with the reason. */
export function settleBatch(
  pool: Database,
  batch: AssignBatch,
  sent: { hash: string; blockNumber: bigint } | null,
  refusals: ReadonlyMap<string, Refusal>,
): Promise<void> {
  const refused = batch.items.flatMap(({ requestId }) => {
    const refusal = refusals.get(requestId);
    return refusal === undefined ? [] : [{ requestId, ...refusal }];
  });
  return transaction(pool, async (db) => {
    await db.query(
      "update app.assign_batch set settled_at = now(), tx_hash = $2, block_number = $3 where batch_id = $1",
      [batch.batchId, sent?.hash ?? null, sent?.blockNumber ?? null],
    );
    await db.query(
      `update app.assign_item as item set refused_with = refused.error
       from unnest($1::uuid[], $2::text[]) as refused (request_id, error)
       where item.request_id = refused.request_id`,
      [refused.map((item) => item.requestId), refused.map((item) => item.error)],
    );
    await db.query(
      `update app.placement as placement
       set status = case when refused.text is null then 'used' else 'refused' end,
         assign_tx = $2, refusal = refused.text
       from app.assign_item as item
       left join unnest($3::uuid[], $4::text[]) as refused (request_id, text) using (request_id)
       where item.batch_id = $1 and placement.request_id = item.request_id and placement.status = 'answered'`,
      [
        batch.batchId,
        sent?.hash ?? null,
        refused.map((item) => item.requestId),
        refused.map((item) => item.text),
      ],
    );
  });
}

/** Releases a batch after a transient error, so that it is sent again with the same dedupe key. */
export async function returnBatch(db: Queryable, batchId: string): Promise<void> {
  await db.query(
    "update app.assign_batch set claimed_until = now() where batch_id = $1 and settled_at is null",
    [batchId],
  );
}

/** Releases the batches of processes that have ended before they settled them. They are sent again with the same dedupe key. */
export function releaseAbandonedBatches(db: Database, self: bigint): Promise<number> {
  return releaseAbandoned(db, self, {
    open: "select runner from app.assign_batch where settled_at is null and claimed_until > now()",
    release: `update app.assign_batch set claimed_until = now()
      where runner = $1 and settled_at is null and claimed_until > now()`,
  });
}

/** Seconds since the publication of each workspace, by the database's clock. */
export async function secondsSincePublished(
  db: Queryable,
  workspaceIds: bigint[],
): Promise<Map<bigint, number>> {
  const found = await db.query<{ workspace_id: bigint; seconds: number }>(
    `select workspace_id::int8, extract(epoch from now() - block.time)::float8 as seconds
     from chain.workspace as workspace join chain.block as block on block.number = workspace.published_block
     where workspace_id = any($1)`,
    [workspaceIds],
  );
  return new Map(found.rows.map((row) => [row.workspace_id, row.seconds]));
}
