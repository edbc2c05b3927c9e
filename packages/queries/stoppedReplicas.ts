import type { Queryable } from "@ngpu/db/pool";

/**
 * Replicas that their owner stopped: the newest request for the replica is a stop, regardless of its lease. Scaling a
 * replica away discards its earlier requests.
 */
export async function stoppedReplicas(db: Queryable, workspaceId: bigint): Promise<Set<number>> {
  const found = await db.query<{ replica: number }>(
    `select replica::int4
     from (
       select distinct on (replica) replica, desired
       from (
         select replica, 'stop' as desired, block_number, log_index
         from chain.event_stop_requested where workspace_id = $1::int8
         union all
         select replica, 'run', block_number, log_index
         from chain.event_start_requested where workspace_id = $1::int8
       ) as given
       where not exists (
         select from chain.event_replicas_set as scaled
         where scaled.workspace_id = $1::int8 and scaled.replicas <= given.replica
           and (scaled.block_number, scaled.log_index) > (given.block_number, given.log_index)
       )
       order by replica, block_number desc, log_index desc
     ) as newest
     where desired = 'stop'`,
    [workspaceId],
  );
  return new Set(found.rows.map((row) => row.replica));
}
