import { createHash } from "node:crypto";
import type { Connection } from "@ngpu/db/pool";
import { reasonKey } from "@ngpu/protocol/reasons/nodeReason";
import { type ReasonCode, reasons } from "@ngpu/protocol/reasons/reasons";
import { toJson } from "@ngpu/runtime/json";

/** Why a replica does not run. */
export type WorkspaceEvent = {
  workspaceId: bigint;
  replica: number;
  /** 0: the replica has no lease. */
  lease: number;
  nodeId: number | null;
  code: ReasonCode;
  details: Readonly<Record<string, unknown>>;
  /** Occurrences that the node has counted. Undefined: each call is one. */
  reported?: number;
};

/** Events that are kept of each workspace. A loop of crashes must not fill the disk. */
const keptEvents = 200;

/** SQL: the position after all others of the workspace $1. The caller holds the workspace's lock. */
const next = "(select coalesce(max(position), 0) + 1 from app.workspace_event where workspace_id = $1)";

/** Prefix of the notification on app_changed; the workspace's id follows. */
export const eventNotice = "workspace_event:";

/**
 * Stores events in the caller's transaction. A reason that the same lease had before is counted in its row, and its newest details
 * are kept. Positions are given under a lock of the workspace, so that a reader never skips an event that commits later.
 */
export async function recordEvents(db: Connection, events: readonly WorkspaceEvent[]): Promise<void> {
  const byWorkspace = Map.groupBy(events, ({ workspaceId }) => workspaceId);
  // Every writer locks in the same order.
  for (const [workspaceId, own] of [...byWorkspace].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await lockEvents(db, workspaceId);
    let changed = 0;
    for (const event of own) changed += await put(db, event);
    if (changed === 0) continue;
    await db.query(
      `delete from app.workspace_event where workspace_id = $1 and position <= (
         select position from app.workspace_event where workspace_id = $1 order by position desc
         offset ${keptEvents} limit 1)`,
      [workspaceId],
    );
    await db.query("select pg_notify('app_changed', $1)", [`${eventNotice}${workspaceId}`]);
  }
}

/** Marks what a node reported of a lease as past: the lease runs. */
export async function endEvents(
  db: Connection,
  { workspaceId, replica, lease }: Pick<WorkspaceEvent, "workspaceId" | "replica" | "lease">,
): Promise<void> {
  await lockEvents(db, workspaceId);
  const ended = await db.query(
    `update app.workspace_event as known set ended_at = now(), position = ${next} - 1 + open.turn
     from (select id, row_number() over (order by position) as turn from app.workspace_event
       where workspace_id = $1 and replica = $2 and lease = $3 and source = 'node' and ended_at is null) as open
     where known.id = open.id`,
    [workspaceId, replica, lease],
  );
  if (ended.rowCount !== 0) {
    await db.query("select pg_notify('app_changed', $1)", [`${eventNotice}${workspaceId}`]);
  }
}

async function lockEvents(db: Connection, workspaceId: bigint): Promise<void> {
  await db.query("select pg_advisory_xact_lock(hashtextextended('workspace_event ' || $1::text, 0))", [
    workspaceId,
  ]);
}

/** A node's reason takes the place of its earlier one. @returns Number of changed rows: 0 for a report that was stored before. */
async function put(db: Connection, event: WorkspaceEvent): Promise<number> {
  const { workspaceId, replica, lease, nodeId, code, details, reported } = event;
  const key = createHash("sha256").update(reasonKey(code, details)).digest("hex").slice(0, 32);
  const stored = await db.query(
    `insert into app.workspace_event as known
       (workspace_id, replica, lease, node_id, source, code, reason_key, details, reported, position)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, ${next})
     on conflict (workspace_id, replica, lease, source, reason_key) do update set
       details = excluded.details, last_at = now(), ended_at = null,
       count = known.count + 1, reported = excluded.reported,
       position = excluded.position
     where known.ended_at is not null or excluded.reported is null or excluded.reported is distinct from known.reported`,
    [workspaceId, replica, lease, nodeId, reasons[code].source, code, key, toJson(details), reported ?? null],
  );
  if (stored.rowCount !== 0 && reasons[code].source === "node") {
    await db.query(
      `update app.workspace_event set ended_at = now() where workspace_id = $1 and replica = $2 and lease = $3
         and source = 'node' and reason_key <> $4 and ended_at is null`,
      [workspaceId, replica, lease, key],
    );
  }
  return stored.rowCount ?? 0;
}
