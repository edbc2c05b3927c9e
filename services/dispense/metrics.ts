import { Counter, Histogram, type Registry } from "prom-client";

export type DispenseMetrics = ReturnType<typeof createMetrics>;

/** What dispense counts. */
export function createMetrics(registry: Registry) {
  return {
    placements: new Counter({
      name: "ngpu_placements_total",
      help: "Placements by what became of them: asked, answered, impossible, assigned, refused",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
    stuck: new Counter({
      name: "ngpu_placement_stuck_total",
      help: "Placements that match did not answer within the deadline",
      registers: [registry],
    }),
    replacements: new Counter({
      name: "ngpu_replacements_total",
      help: "Leases taken from nodes that did not get them running, by how",
      labelNames: ["action"] as const,
      registers: [registry],
    }),
    publishToAssigned: new Histogram({
      name: "ngpu_publish_to_assigned_seconds",
      help: "From the publication of a workspace to the first assignment of each of its replicas",
      buckets: [1, 2, 4, 6, 8, 12, 20, 40, 80, 160, 320],
      registers: [registry],
    }),
  };
}
