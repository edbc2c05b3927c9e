/** Events of the chain in the history of a workspace, with what each says. */
export const chainEvents = {
  workspace_published: "The workspace was published.",
  workspace_updated: "The workspace's image, configuration or price was changed.",
  replicas_set: "The number of replicas was changed.",
  stopped_set: "The owner stopped the workspace or started it.",
  workspace_closed: "The workspace was closed.",
  replica_assigned: "The replica was given to a node.",
  start_ordered: "The replica's node was ordered to start it.",
  stop_ordered: "The replica's node was ordered to stop it.",
  delete_ordered: "The replica's node was ordered to delete it.",
  image_progress: "The node reported how far the image is.",
  state_reported: "The node reported the replica's state.",
  lease_lost: "The replica's node was marked as lost.",
  lease_released: "The replica's lease was released.",
  lease_settled: "What the lease owed was booked.",
  lease_closed: "Escrow closed the lease.",
  lease_refunded: "Downtime of the node was refunded.",
} as const;

export type ChainEventCode = keyof typeof chainEvents;
