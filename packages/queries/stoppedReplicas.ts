import type { Queryable } from "@ngpu/db/pool";

/**
 * Replicas that their owner stopped: the newest order is a stop, regardless of the lease. An order for the whole workspace
 * applies to every replica, also to one that has no lease or is added later. Scaling a replica away discards its earlier
 * orders on the chain. Orders that the service workspace sent to carry out an earlier order do not count.
 */
export async function stoppedReplicas(db: Queryable, workspaceId: bigint): Promise<Set<number>> {
  const found = await db.query<{ replica: number }>(
    `select replica::int4
     from (
       select distinct on (replica) replica, stopped
       from (
         select replica, stopped, block_number, log_index
         from (
           select replica, true as stopped, block_number, log_index, tx_hash
           from chain.event_stop_requested where workspace_id = $1::int8
           union all
           select replica, false, block_number, log_index, tx_hash
           from chain.event_start_requested where workspace_id = $1::int8
         ) as leased
         where not exists (
           select from app.step where step.workspace_id = $1::numeric and step.tx_hash = leased.tx_hash
         ) and not exists (
           select from chain.event_replicas_set as scaled
           where scaled.workspace_id = $1::int8 and scaled.replicas <= leased.replica
             and (scaled.block_number, scaled.log_index) > (leased.block_number, leased.log_index)
         )
         union all
         select replica, stopped, ordered.block_number, 2147483647
         from app.workspace_order as ordered
         join chain.workspace as workspace on workspace.workspace_id = ordered.workspace_id::int8
         cross join lateral generate_series(0, workspace.replicas::int4 - 1) as every (replica)
         where ordered.workspace_id = $1::numeric and stopped is not null
       ) as given
       order by replica, block_number desc, log_index desc
     ) as newest
     where stopped`,
    [workspaceId],
  );
  return new Set(found.rows.map((row) => row.replica));
}
