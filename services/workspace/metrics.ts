import { Counter, type Registry } from "prom-client";

export type WorkspaceMetrics = ReturnType<typeof createMetrics>;

/** What workspace counts. */
export function createMetrics(registry: Registry) {
  return {
    steps: new Counter({
      name: "ngpu_workspace_steps_total",
      help: "Steps taken for workspaces, by kind and by what the chain said",
      labelNames: ["step", "result"] as const,
      registers: [registry],
    }),
    stuck: new Counter({
      name: "ngpu_workspace_step_stuck_total",
      help: "Steps found to last longer than their deadline",
      labelNames: ["step"] as const,
      registers: [registry],
    }),
  };
}
