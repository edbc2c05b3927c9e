import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";
import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { stepsInProgress } from "@ngpu/tx-sender/stepLedger";
import type { Facts, Funds, HeldLease } from "./decide.ts";
import { isOutdated, isRateEnded, overdueAt, type Terms } from "./due.ts";

/** Facts with the block they were read at. */
export type LoadedFacts = { facts: Facts; head: bigint };

const maxMissing = 1_000;

type WorkspaceRow = {
  open: boolean;
  stopped: boolean;
  replicas: number;
  expires_at: number;
  owner: string;
  authorization_id: bigint;
  config: string;
  head: bigint;
  now: number;
};

/** Reads the input of decide() in one snapshot; null when the workspace is not exported. */
export function loadFacts(db: Database, workspaceId: bigint, terms: Terms): Promise<LoadedFacts | null> {
  return transaction(db, async (connection) => {
    await connection.query("set transaction isolation level repeatable read, read only");
    const workspace = await loadWorkspace(connection, workspaceId);
    if (workspace === undefined) return null;
    const { head, now, open, stopped, replicas, expires_at: expiresAt } = workspace;
    return {
      head,
      facts: {
        workspaceId,
        now,
        open,
        replicas,
        expiresAt,
        leases: await loadLeases(connection, { workspaceId, now, terms }),
        missing: await loadMissing(connection, workspaceId),
        maxDown: maxDownOf(workspace.config),
        stopped,
        funds: await loadFunds(connection, workspace),
        inProgress: await stepsInProgress(connection, workspaceId, head),
      },
    };
  });
}

async function loadWorkspace(db: Queryable, workspaceId: bigint): Promise<WorkspaceRow | undefined> {
  const found = await db.query<WorkspaceRow>(
    `select workspace.status = 'open' as open, stopped, replicas::int4, expires_at::float8, owner, authorization_id::int8, config,
       head.number::int8 as head, floor(extract(epoch from block.time))::float8 as now
     from chain.workspace as workspace
     cross join chain.head as head
     join chain.block as block on block.number = head.number
     where workspace.workspace_id = $1::int8 and head.tier = 'unsafe'`,
    [workspaceId],
  );
  return found.rows[0];
}

const overdue = overdueAt({ startSeconds: "$3::int8", restSeconds: "$4::int8" });
const rateEnded = isRateEnded({ now: "$2::int8", restSeconds: "$4::int8" });

async function loadLeases(
  db: Queryable,
  { workspaceId, now, terms }: { workspaceId: bigint; now: number; terms: Terms },
): Promise<HeldLease[]> {
  const found = await db.query<{
    replica: number;
    lease: number;
    state: AssignmentState;
    desired: Desired;
    since: number;
    releasable_at: number | null;
    funded: boolean;
    overdue: boolean;
    retire: HeldLease["retire"];
    owes_from: number | null;
    rate_ended: boolean;
  }>(
    `select assignment.replica::int4, assignment.lease::float8, assignment.state, assignment.desired,
       floor(extract(epoch from greatest(block.time, case when lease.closed then closing.time end,
         case when ${overdue} <= $2 then to_timestamp(${overdue}) end)))::float8 as since,
       assignment.lost_until::float8 as releasable_at,
       coalesce(not lease.closed, true) as funded,
       coalesce(${overdue} <= $2, false) as overdue,
       case when ${isOutdated("assignment")} then 'outdated' when node.status = 'maintenance' then 'draining' end as retire,
       case when lease.running and not lease.closed and lease.clock_since < $2
         and (lease.clock = 'running' or ${rateEnded} or spending.expiry < $2) then lease.clock_since end::float8 as owes_from,
       coalesce(${rateEnded}, false) as rate_ended
     from chain.assignment as assignment
     join chain.block as block on block.number = assignment.block_number
     left join chain.node as node on node.node_id = assignment.node_id
     left join chain.lease as lease using (workspace_id, replica, lease)
     left join chain.spending_authorization as spending on spending.authorization_id = lease.authorization_id
     left join chain.block as closing on closing.number = lease.block_number
     left join chain.block as assigning on assigning.number = assignment.assigned_block
     where assignment.workspace_id = $1::int8 and assignment.release_reason is null
       and assignment.state not in ('none', 'deleted', 'released')
     order by assignment.replica, assignment.lease`,
    [workspaceId, now, terms.startSeconds, terms.restSeconds],
  );
  return found.rows.map(({ releasable_at: releasableAt, owes_from: owesFrom, rate_ended, ...lease }) => ({
    ...lease,
    releasableAt,
    owesFrom,
    rateEnded: rate_ended,
  }));
}

/** Maximum replicas down at the same time, from the configuration, which may be invalid JSON. */
function maxDownOf(config: string): number {
  try {
    return workspaceConfig.parse(JSON.parse(config)).maxDown ?? 1;
  } catch {
    // Nodes refuse an invalid configuration too, so there is nothing to replace.
    return 1;
  }
}

/** The first replicas without a lease: a workspace may have 65,535, and all are placed and watched alike. */
async function loadMissing(db: Queryable, workspaceId: bigint): Promise<Facts["missing"]> {
  const found = await db.query<{ replica: number; since: number }>(
    `select replica::int4,
       floor(extract(epoch from greatest(
         changed.time,
         (select max(block.time) from chain.assignment as past join chain.block as block on block.number = past.block_number
          where past.workspace_id = $1::int8 and past.replica = wanted.replica)
       )))::float8 as since
     from chain.workspace as workspace
     join chain.block as changed on changed.number = workspace.block_number
     cross join lateral generate_series(0, workspace.replicas::int4 - 1) as wanted (replica)
     where workspace.workspace_id = $1::int8 and not exists (
       select from chain.assignment as held
       where held.workspace_id = $1::int8 and held.replica = wanted.replica and held.release_reason is null
         and held.state not in ('none', 'deleted', 'released')
     )
     order by wanted.replica limit ${maxMissing}`,
    [workspaceId],
  );
  return found.rows;
}

/** The funds in the authorization's escrow, which all of the owner's workspaces there share. */
async function loadFunds(db: Queryable, workspace: WorkspaceRow): Promise<Funds> {
  const { owner, authorization_id: authorizationId, now } = workspace;
  const found = await db.query<{
    balance: bigint;
    owed_by_owner: bigint;
    owed_by_authorization: bigint;
    remaining: bigint | null;
    expiry: number | null;
  }>(
    `with spending as (
       select total, expiry, generation from chain.spending_authorization where authorization_id = $2
     ), running as (
       select lease.authorization_id, case when lease.running
           then greatest(0, $3::int8 - lease.clock_since) * lease.rate else 0 end as owed,
         lease.lock - lease.from_lock as locked
       from chain.lease as lease join chain.workspace as workspace using (workspace_id)
       join spending on spending.generation = lease.generation
       where workspace.owner = $1 and not lease.closed
     )
     select
       coalesce((select deposited + refunded - withdrawn - settled - burned from chain.escrow_account
         where account = $1 and generation = spending.generation), 0)::numeric
         - coalesce((select sum(locked) from running), 0)::numeric as balance,
       coalesce((select sum(owed) from running), 0)::numeric as owed_by_owner,
       coalesce((select sum(owed) from running where authorization_id = $2), 0)::numeric as owed_by_authorization,
       spending.total - coalesce(
         (select sum(settled + burned - from_lock + case when closed then from_lock else lock end)
          from chain.lease where authorization_id = $2), 0)::numeric as remaining,
       spending.expiry::float8
     from (select 1) as one
     left join spending on true`,
    [owner, authorizationId, now],
  );
  const row = found.rows[0];
  if (row === undefined) throw new TypeError("the query of the funds returned no row");
  return {
    balance: row.balance,
    owedByOwner: row.owed_by_owner,
    remaining: row.remaining,
    owedByAuthorization: row.owed_by_authorization,
    expiry: row.expiry,
  };
}
