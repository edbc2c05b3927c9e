import type { Connection, Database, Queryable } from "@ngpu/db/pool";
import type { Decision } from "@ngpu/placement/decide";
import { type FleetBlock, pendingSeconds } from "@ngpu/placement/fleet";
import { refusalsOf } from "@ngpu/queries/replay";
import type { PriceLimit } from "@ngpu/queries/wanted";
import { toJson } from "@ngpu/runtime/json";

export type PendingPlacement = {
  request_id: string;
  workspace_id: bigint;
  replica: number;
  excluded: number[];
};

/**
 * Claims an unanswered request. The row and a lock on the placements of its workspace are held until the transaction ends.
 *
 * @returns undefined when the request is claimed or answered already
 */
export async function claimPlacement(
  db: Connection,
  requestId: string,
): Promise<PendingPlacement | undefined> {
  const { rows } = await db.query<PendingPlacement>(
    `select request_id, workspace_id, replica, excluded from app.placement
     where request_id = $1 and status = 'requested' for update skip locked`,
    [requestId],
  );
  const requested = rows[0];
  if (requested !== undefined) {
    await db.query("select pg_advisory_xact_lock(hashtextextended('placement ' || $1::text, 0))", [
      requested.workspace_id,
    ]);
  }
  return requested;
}

/** Number of recent placements of the workspace's other replicas that the block does not include yet. */
export async function countPending(
  db: Queryable,
  requested: PendingPlacement,
  block: FleetBlock,
): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>(
    `select count(*) as count from app.placement p
     where p.workspace_id = $1 and p.replica <> $2 and p.status in ('answered', 'used')
       and p.answered_at > now() - make_interval(secs => ${pendingSeconds})
       and not exists (select from chain.assignment a
         where a.workspace_id = p.workspace_id and a.replica = p.replica and a.assigned_block > p.block_number
           and a.assigned_block <= $3)`,
    [requested.workspace_id, requested.replica, block.number],
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Stores the answer and notifies dispense. */
export async function writeAnswer(
  db: Connection,
  answer: {
    requestId: string;
    block: FleetBlock;
    position: number;
    decision: Decision;
    /** The excluded nodes that the decision depends on. */
    excluded: readonly number[];
    /** Of the replica's price, below the workspace's own; null: none. */
    priceLimit: PriceLimit | null;
  },
): Promise<void> {
  const { decision, block } = answer;
  const placed = decision.type === "placed";
  const counted = { counts: decision.refusals, nearest: placed ? null : decision.nearest };
  await db.query(
    `update app.placement set status = $2, block_number = $3, block_hash = $4, position = $5, node_id = $6,
       ranking = $7, refusals = $8, excluded = $9, answered_at = now() where request_id = $1`,
    [
      answer.requestId,
      placed ? "answered" : "impossible",
      block.number,
      block.hash,
      answer.position,
      placed ? decision.nodeId : null,
      toJson(placed ? decision.ranking : []),
      toJson(refusalsOf(counted, placed ? null : answer.priceLimit)),
      answer.excluded,
    ],
  );
  await db.query("select pg_notify('app_changed', 'placement')");
}

/** Requests that are overdue because Redis lost the queue. */
export async function unansweredRequests(pool: Database): Promise<string[]> {
  const { rows } = await pool.query<{ request_id: string }>(
    `select request_id from app.placement where status = 'requested' and requested_at < now() - interval '1 second'
     order by requested_at limit 200`,
  );
  return rows.map((row) => row.request_id);
}
