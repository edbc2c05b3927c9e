import { Counter, type Registry } from "prom-client";

export type WebhooksMetrics = ReturnType<typeof createMetrics>;

/** Creates the metrics of webhooks. */
export function createMetrics(registry: Registry) {
  return {
    events: new Counter({
      name: "ngpu_webhooks_events_total",
      help: "Events that were recorded, by type",
      labelNames: ["type"] as const,
      registers: [registry],
    }),
    attempts: new Counter({
      name: "ngpu_webhooks_attempts_total",
      help: "Attempts to deliver an event, by result",
      labelNames: ["result"] as const,
      registers: [registry],
    }),
  };
}
