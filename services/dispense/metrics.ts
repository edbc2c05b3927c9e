import { Counter, Histogram, type Registry } from "prom-client";

export type DispenseMetrics = ReturnType<typeof createMetrics>;

/** Creates the metrics of dispense. */
export function createMetrics(registry: Registry) {
  return {
    placements: new Counter({
      name: "ngpu_dispense_placements_total",
      help: "Placements by outcome: requested, answered, impossible, assigned, refused",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
    stuck: new Counter({
      name: "ngpu_dispense_stuck_placements_total",
      help: "Placements that match did not answer within the deadline",
      registers: [registry],
    }),
    replacements: new Counter({
      name: "ngpu_dispense_replacements_total",
      help: "Leases taken from nodes that did not start them in time, by action",
      labelNames: ["action"] as const,
      registers: [registry],
    }),
    publishToAssigned: new Histogram({
      name: "ngpu_dispense_publish_to_assigned_seconds",
      help: "Time from the publication of a workspace to the first assignment of each replica",
      buckets: [1, 2, 4, 6, 8, 12, 20, 40, 80, 160, 320],
      registers: [registry],
    }),
  };
}
