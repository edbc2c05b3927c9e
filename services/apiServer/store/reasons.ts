import type { Queryable } from "@ngpu/db/pool";
import type { ReasonCode } from "@ngpu/protocol/reasons/reasons";

/** What a node or the market last said of a replica. */
export type EventFacts = {
  replica: number;
  lease: number;
  source: "node" | "market";
  code: ReasonCode;
  details: Record<string, unknown>;
  /** Unix seconds. */
  firstAt: number;
  lastAt: number;
};

/** What is known of the highest lease of a replica beside its row. Times in Unix seconds. */
export type LeaseReasonFacts = {
  replica: number;
  /** Block of the lease's current state. */
  since: number;
  /** Why escrow closed the lease; null: it did not. */
  closeReason: string | null;
  /** Last contact with the node; null: it is there. */
  absentSince: number | null;
  signal: string | null;
};

export type ReasonRows = {
  leases: LeaseReasonFacts[];
  events: EventFacts[];
  /** Unix seconds of the block of the workspace's last change. */
  changedAt: number;
};

/** Seconds without contact after which a node counts as not answering: a client that restarts is away for less. */
export const absenceSeconds = 4;

/** Reads why the replicas of a workspace may not run. */
export async function readReasons(db: Queryable, workspaceId: string): Promise<ReasonRows> {
  const [leases, events, changed] = await Promise.all([
    db.query<LeaseReasonFacts>(
      `select distinct on (held.replica) held.replica::int4 as replica,
         extract(epoch from block.time)::float8 as since, lease.close_reason as "closeReason",
         extract(epoch from absence.since)::float8 as "absentSince", absence.signal
       from chain.assignment as held
       join chain.block as block on block.number = held.block_number
       left join chain.lease as lease using (workspace_id, replica, lease)
       left join app.absence as absence on absence.node_id = held.node_id and absence.back_at is null
         and (absence.lost_at is not null or absence.since < now() - interval '${absenceSeconds} seconds')
       where held.workspace_id = $1::numeric order by held.replica, held.lease desc`,
      [workspaceId],
    ),
    db.query<EventFacts>(
      `select distinct on (replica, source) replica, lease::float8 as lease, source, code, details,
         extract(epoch from first_at)::float8 as "firstAt", extract(epoch from last_at)::float8 as "lastAt"
       from app.workspace_event where workspace_id = $1::numeric and ended_at is null
       order by replica, source, position desc`,
      [workspaceId],
    ),
    db.query<{ at: number }>(
      `select extract(epoch from block.time)::float8 as at from chain.workspace as workspace
       join chain.block as block on block.number = workspace.block_number where workspace_id = $1::numeric`,
      [workspaceId],
    ),
  ]);
  return { leases: leases.rows, events: events.rows, changedAt: changed.rows[0]?.at ?? 0 };
}
