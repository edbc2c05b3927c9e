import type { Queryable } from "@ngpu/db/pool";
import { stoppedReplicas } from "@ngpu/queries/stoppedReplicas";

/** Refuses placements whose workspace was closed or scaled down: the chain would reject them. */
export async function refuseUnwanted(db: Queryable): Promise<void> {
  await db.query(
    `update app.placement as placement
     set status = 'refused', refusal = case when workspace.status = 'closed' then 'The workspace was closed.'
       else 'The workspace was scaled down.' end
     from chain.workspace as workspace
     where placement.status = 'answered' and workspace.workspace_id = placement.workspace_id
       and (workspace.status = 'closed' or placement.replica >= workspace.replicas)
       and not exists (select from app.assign_item as item where item.request_id = placement.request_id)`,
  );
}

/** Refuses placements of replicas that their owner stopped after the request. */
export async function refuseStopped(db: Queryable): Promise<void> {
  const waiting = await db.query<{ workspace_id: bigint }>(
    `select distinct workspace_id::int8 from app.placement as placement
     join app.workspace_order as ordered using (workspace_id)
     where placement.status = 'answered' and ordered.stopped
       and not exists (select from app.assign_item as item where item.request_id = placement.request_id)`,
  );
  for (const { workspace_id: workspaceId } of waiting.rows) {
    await db.query(
      `update app.placement as placement set status = 'refused', refusal = 'The replica was stopped.'
       where status = 'answered' and workspace_id = $1::numeric and replica = any($2)
         and not exists (select from app.assign_item as item where item.request_id = placement.request_id)`,
      [workspaceId, [...(await stoppedReplicas(db, workspaceId))]],
    );
  }
}
