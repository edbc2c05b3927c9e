import type { Queryable } from "@ngpu/db/pool";

/**
 * SQL: the part of a configuration that a container depends on. The chain may have any text: one that is not a JSON object is compared
 * by its hash.
 */
const container = (workspace: string) => `case when not pg_input_is_valid(${workspace}.config, 'jsonb')
    then to_jsonb(${workspace}.config_hash)
  when jsonb_typeof(${workspace}.config::jsonb) = 'object'
    then ${workspace}.config::jsonb - '{maxDown,placement,scaling}'::text[]
  else to_jsonb(${workspace}.config_hash) end`;

/** SQL: the container of the assignment has a different image or configuration than its workspace has now. */
export const isOutdated = (assignment: string) => `exists (
  select from chain.workspace as today join chain.workspace_history as previous using (workspace_id)
  where today.workspace_id = ${assignment}.workspace_id and today.block_number > ${assignment}.assigned_block
    and previous.valid_from <= ${assignment}.assigned_block and previous.valid_to > ${assignment}.assigned_block
    and (previous.image <> today.image or (previous.config_hash <> today.config_hash
      and ${container("previous")} is distinct from ${container("today")})))`;

/** Deadlines of leases, seconds (IEscrowTypes.Terms). */
export type Terms = { startSeconds: number; restSeconds: number };

/**
 * SQL: the time, Unix seconds, from which on anyone may end the lease; null while nothing but its funds ends it. Uses `lease` and
 * `assigning`, the block of its assignment: a lease whose replica never ran has no time of its clock and waits since then. Rest costs a
 * tenth of the rate, rounded up, out of the lock.
 */
export function overdueAt({ startSeconds, restSeconds }: Record<keyof Terms, string>): string {
  const since = "coalesce(lease.clock_since, extract(epoch from assigning.time)::int8)";
  const restRate = "greatest(1, ceil(lease.rate / 10))";
  // A lock of many tokens at a low rate lasts longer than any date.
  const rest = `least(div(lease.lock - lease.from_lock + ${restRate} - 1, ${restRate}), 1e12)::int8`;
  return `(case when lease.closed then null else case lease.clock
    when 'new' then ${since} + ${startSeconds} + 1
    when 'waiting' then ${since} + ${startSeconds} + 1
    when 'ending' then ${since} + ${restSeconds}
    when 'ended' then ${since} + ${restSeconds}
    when 'stopping' then ${since} + ${restSeconds} + ${rest}
    when 'resting' then ${since} + ${rest}
    end end)`;
}

/** SQL: an order to stop or delete has ended the rate of the lease, and no settlement has said so yet. */
export const isRateEnded = ({ now, restSeconds }: Record<"now" | "restSeconds", string>) =>
  `(lease.clock in ('stopping', 'ending') and ${now} >= lease.clock_since + ${restSeconds})`;

/** SQL: the time of the newest block. */
const clock = `clock as (
  select floor(extract(epoch from block.time))::int8 as now
  from chain.head as head join chain.block as block on block.number = head.number
  where head.tier = 'unsafe'
)`;

/** SQL: the leases that are not released. */
const held = `held as (
  select workspace_id, replica, lease, state, desired, node_id, assigned_block from chain.assignment
  where release_reason is null and state not in ('none', 'deleted', 'released')
)`;

/** SQL: the running leases with what each owes, and the owners and authorizations whose funds these debts use up. */
const debts = `running as (
  select lease.workspace_id, workspace.owner, lease.authorization_id, lease.generation,
    case when lease.running then greatest(0, clock.now - lease.clock_since) * lease.rate else 0 end as owed,
    lease.lock - lease.from_lock as locked
  from chain.lease as lease join chain.workspace as workspace using (workspace_id) cross join clock
  where not lease.closed
),
spent_owner as (
  select owner, running.generation from running
  left join chain.escrow_account as account
    on account.account = running.owner and account.generation = running.generation
  group by owner, running.generation, account.account, deposited, refunded, withdrawn, settled, burned
  having sum(owed) > 0 and sum(owed) + sum(locked) >= coalesce(deposited + refunded - withdrawn - settled - burned, 0)
),
spent_authorization as (
  select authorization_id
  from running join chain.spending_authorization as spending using (authorization_id) cross join clock
  group by authorization_id, spending.total, spending.expiry, clock.now
  having sum(owed) > 0 and (clock.now >= spending.expiry or sum(owed) + sum(locked) >= spending.total - (
    select coalesce(sum(settled + burned), 0) from chain.lease as lease
    where lease.authorization_id = running.authorization_id))
)`;

/** SQL: open workspaces that have expired or lack replicas. */
const expiredOrIncomplete = `
  select workspace_id::int8 from chain.workspace cross join clock
  where status = 'open' and (
    (expires_at > 0 and expires_at < clock.now)
    or (not stopped and (select count(*) from held
        where held.workspace_id = workspace.workspace_id and held.replica < workspace.replicas) < workspace.replicas))`;

/** SQL: workspaces with a lease that must move, change or end. */
const notConverged = `
  select held.workspace_id::int8 from held
    join chain.workspace as workspace using (workspace_id)
    left join chain.lease as lease using (workspace_id, replica, lease)
    left join chain.node as node on node.node_id = held.node_id
    cross join clock
  where node.status = 'maintenance' or ${isOutdated("held")}
    or workspace.status <> 'open' or held.replica >= workspace.replicas or coalesce(lease.closed, false)
    or (workspace.expires_at > 0 and workspace.expires_at < clock.now)
    or not ((held.desired = 'run' and held.state = 'running') or (held.desired = 'stop' and held.state = 'stopped'))
    or (held.desired = case when workspace.stopped then 'run' else 'stop' end)`;

/** SQL: workspaces with a lease that anyone may end. */
const withOverdueLease = `
  select assignment.workspace_id::int8 from chain.assignment as assignment
    join chain.lease as lease using (workspace_id, replica, lease)
    join chain.block as assigning on assigning.number = assignment.assigned_block
    cross join clock
  where assignment.release_reason is null and assignment.state not in ('none', 'deleted', 'released')
    and clock.now >= ${overdueAt({ startSeconds: "$1::int8", restSeconds: "$2::int8" })}`;

/** SQL: workspaces whose funds are used up. */
const withoutFunds = `
  select workspace_id::int8 from running
  where owed > 0 and ((owner, generation) in (select owner, generation from spent_owner)
    or authorization_id in (select authorization_id from spent_authorization))`;

/**
 * Workspaces that differ from the state their owners ordered, or whose funds are used up. Only these can have steps to execute
 * or phases to monitor; nearly all workspaces are converged and not returned.
 */
export async function findDue(db: Queryable, terms: Terms): Promise<bigint[]> {
  const found = await db.query<{ workspace_id: bigint }>(
    `with ${clock}, ${held}, ${debts}
    ${expiredOrIncomplete} union ${notConverged} union ${withoutFunds} union ${withOverdueLease}`,
    [terms.startSeconds, terms.restSeconds],
  );
  return found.rows.map((row) => row.workspace_id);
}
