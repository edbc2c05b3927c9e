import type { AssignmentState, Desired, Milestone } from "@ngpu/contracts-sdk/enumNames";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { recordEvents, type WorkspaceEvent } from "@ngpu/queries/workspaceEvents";
import { loadSpecs, unknownWorkspace } from "@ngpu/queries/workspaceSpecs";
import { sendSteps } from "@ngpu/tx-sender/stepLedger";
import type { Address } from "viem";
import type { SendingDeps } from "./deps.ts";
import {
  decideReplacement,
  type LeaseProgress,
  type ProgressDeadlines,
  type Replacement,
} from "./progress.ts";

export type FollowDeps = SendingDeps & { deadlines: ProgressDeadlines };

type Overdue = { key: string; workspaceId: bigint; lease: LeaseProgress; replacement: Replacement };

/**
 * Checks every lease that is not running yet and replaces those whose node exceeded a deadline. The replica is then missing, and
 * its next placement request excludes that node.
 */
export async function followProgress(deps: FollowDeps): Promise<void> {
  const { pool, deadlines, batchSize } = deps;
  const { leases, now, head } = await loadProgress(pool);
  const overdue = leases.flatMap((lease): Overdue[] => {
    const replacement = decideReplacement(lease, now, deadlines);
    if (replacement === null) return [];
    const { workspaceId, replica, lease: number } = lease;
    const key = `replace-${replacement.action}:${workspaceId}/${replica}/${number}`;
    return [{ key, workspaceId, lease, replacement }];
  });
  for (const action of ["release", "delete"] as const) {
    const same = overdue.filter(({ replacement }) => replacement.action === action);
    for (const [at, own] of byContract(deps.deployment, "DockerContract", same, (item) => item)) {
      for (let start = 0; start < own.length; start += batchSize) {
        await replace(deps, { action, at }, head, own.slice(start, start + batchSize));
      }
    }
  }
}

type Order = { action: Replacement["action"]; at: Address };

async function replace(deps: FollowDeps, order: Order, head: bigint, items: Overdue[]): Promise<void> {
  // Stored before the order is sent, so that the next placement excludes the node.
  await recordReplacements(deps.pool, items);
  const settled = await sendSteps(deps.pool, { head, items, runner: deps.runner }, (free, dedupeKey) =>
    sendReplacement(deps, order, free, dedupeKey),
  );
  const { action } = order;
  for (const { item, refusal } of settled) {
    const { workspaceId, replica, lease, nodeId } = item.lease;
    const fields = { workspaceId, replica, lease, nodeId, action, reason: item.replacement.reason };
    if (refusal === null) deps.logger.warn({ event: "lease_replaced", ...fields });
    else deps.logger.warn({ event: "lease_replacement_refused", ...fields, refusal });
    if (refusal === null) deps.metrics.replacements.inc({ action });
  }
}

async function sendReplacement(
  { pool, sender }: FollowDeps,
  { action, at }: Order,
  items: Overdue[],
  dedupeKey: string,
) {
  const leases = items.map(({ lease: { workspaceId, replica, lease } }) => ({ workspaceId, replica, lease }));
  const call = { kind: `dispense.${action}`, contract: "DockerContract", at, dedupeKey } as const;
  if (action === "delete") return sender.send({ ...call, functionName: "requestDelete", args: [leases] });
  const specs = await loadSpecs(pool, [...new Set(leases.map((lease) => lease.workspaceId))]);
  const each = leases.map(({ workspaceId }) => {
    const spec = specs.get(workspaceId);
    if (spec === undefined) throw unknownWorkspace(workspaceId);
    return spec;
  });
  return sender.send({ ...call, functionName: "releaseLost", args: [leases, each, []] });
}

async function recordReplacements(pool: Database, items: Overdue[]): Promise<void> {
  await transaction(pool, async (db) => {
    const recorded = await db.query<{ workspace_id: bigint; replica: number; lease: bigint }>(
      `insert into app.replacement (workspace_id, replica, lease, node_id, reason)
       select * from unnest($1::numeric[], $2::int4[], $3::int8[], $4::int8[], $5::text[])
       on conflict do nothing returning workspace_id, replica, lease`,
      [
        items.map(({ lease }) => lease.workspaceId),
        items.map(({ lease }) => lease.replica),
        items.map(({ lease }) => lease.lease),
        items.map(({ lease }) => lease.nodeId),
        items.map(({ replacement }) => replacement.reason),
      ],
    );
    const keyOf = (workspaceId: bigint, replica: number, lease: bigint | number) =>
      `${workspaceId}/${replica}/${lease}`;
    const isNew = new Set(recorded.rows.map((row) => keyOf(row.workspace_id, row.replica, row.lease)));
    const replaced = items.filter(({ lease }) =>
      isNew.has(keyOf(lease.workspaceId, lease.replica, lease.lease)),
    );
    await recordEvents(db, replaced.map(replacedEvent));
  });
}

function replacedEvent({ lease: given, replacement }: Overdue): WorkspaceEvent {
  const { workspaceId, replica, lease, nodeId } = given;
  const details = { why: replacement.reason };
  return { workspaceId, replica, lease, nodeId, code: "replica_replaced", details };
}

type ProgressRow = {
  workspace_id: bigint;
  replica: number;
  lease: number;
  node_id: number;
  state: AssignmentState;
  desired: Desired;
  detail: string | null;
  milestone: Milestone;
  assigned_at: number;
  changed_at: number;
  milestone_at: number | null;
  live_age: number | null;
  releasable_at: number | null;
};

/** The leases that are not running yet or are being deleted, with the time and number of the newest exported block. */
async function loadProgress(db: Queryable): Promise<{ leases: LeaseProgress[]; now: number; head: bigint }> {
  const clock = await db.query<{ now: number; head: bigint }>(
    `select extract(epoch from block.time)::float8 as now, head.number::int8 as head
     from chain.head as head join chain.block as block on block.number = head.number where head.tier = 'unsafe'`,
  );
  const time = clock.rows[0];
  if (time === undefined) return { leases: [], now: 0, head: 0n };
  const found = await db.query<ProgressRow>(
    `select held.workspace_id::int8, held.replica::int4, held.lease::float8, held.node_id::float8, held.state, held.desired,
       held.detail, coalesce(progress.milestone, 'none') as milestone,
       extract(epoch from assigned.time)::float8 as assigned_at,
       extract(epoch from changed.time)::float8 as changed_at,
       extract(epoch from reached.time)::float8 as milestone_at,
       extract(epoch from now() - live.updated_at)::float8 as live_age,
       held.lost_until::float8 as releasable_at
     from chain.assignment as held
     join chain.block as assigned on assigned.number = held.assigned_block
     join chain.block as changed on changed.number = held.block_number
     left join chain.progress as progress using (workspace_id, replica, lease)
     left join chain.block as reached on reached.number = progress.block_number
     left join app.live_progress as live using (workspace_id, replica, lease)
     where held.release_reason is null and held.state not in ('none', 'deleted', 'released')
       and (held.state in ('assigned', 'ready', 'failed') or held.desired = 'delete')`,
  );
  return { ...time, leases: found.rows.map((row) => leaseOf(row, time.now)) };
}

function leaseOf(row: ProgressRow, now: number): LeaseProgress {
  return {
    workspaceId: row.workspace_id,
    replica: row.replica,
    lease: row.lease,
    nodeId: row.node_id,
    state: row.state,
    desired: row.desired,
    detail: row.detail,
    milestone: row.milestone,
    assignedAt: row.assigned_at,
    changedAt: row.changed_at,
    milestoneAt: row.milestone_at,
    liveAt: row.live_age === null ? null : now - row.live_age,
    releasableAt: row.releasable_at,
  };
}
