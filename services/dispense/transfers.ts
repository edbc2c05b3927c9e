/** SQL of image transfers in progress: leases whose node does not have the image of the workspace yet. */

/** The registry of an image, from a workspace's configuration, which may be invalid JSON. */
export const sourceOf = (workspace: string) =>
  `substring(${workspace}.config from '"image"\\s*:\\s*"([^"/]+)/')`;

/** Whether a node has the image for a lease that it holds. */
const hasImage = (nodeId: string, image: string) => `exists (
  select from chain.assignment as had join chain.workspace as of_it on of_it.workspace_id = had.workspace_id
  where had.node_id = ${nodeId} and of_it.image = ${image} and had.release_reason is null
    and had.state in ('ready', 'running', 'stopped'))`;

/** Rows `(node_id, source, owner)`, one for each image transfer in progress. */
export const transfers = `
  select held.node_id, ${sourceOf("wanted")} as source, wanted.owner
  from chain.assignment as held
  join chain.workspace as wanted on wanted.workspace_id = held.workspace_id
  left join chain.progress as progress
    on (progress.workspace_id, progress.replica, progress.lease) = (held.workspace_id, held.replica, held.lease)
  where held.state = 'assigned' and held.release_reason is null
    and coalesce(progress.milestone, 'none') in ('none', 'accepted', 'downloading')
    and not ${hasImage("held.node_id", "wanted.image")}`;

/** Rows `(node_id)` of assignments that were sent but are not exported yet. */
export const departing = `
  select placement.node_id
  from app.assign_item as item
  join app.assign_batch as batch using (batch_id)
  join app.placement as placement using (request_id)
  where item.refused_with is null and (batch.settled_at is null
    or batch.block_number > (select number from chain.head where tier = 'unsafe'))`;

/** Whether the node of a placement must pull the image first. */
export const requiresTransfer = (placement: string) =>
  `not ${hasImage(
    `${placement}.node_id`,
    `(select image from chain.workspace as requested where requested.workspace_id = ${placement}.workspace_id::int8)`,
  )}`;
