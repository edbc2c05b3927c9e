import type { Queryable } from "@ngpu/db/pool";

/** Refuses placements whose workspace was closed, stopped or scaled down: the chain would reject them. */
export async function refuseUnwanted(db: Queryable): Promise<void> {
  await db.query(
    `update app.placement as placement
     set status = 'refused', refusal = case when workspace.status = 'closed' then 'The workspace was closed.'
       when workspace.stopped then 'The workspace was stopped.' else 'The workspace was scaled down.' end
     from chain.workspace as workspace
     where placement.status = 'answered' and workspace.workspace_id = placement.workspace_id
       and (workspace.status = 'closed' or workspace.stopped or placement.replica >= workspace.replicas)
       and not exists (select from app.assign_item as item where item.request_id = placement.request_id)`,
  );
}
