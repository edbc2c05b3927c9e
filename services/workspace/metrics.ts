import { Counter, type Registry } from "prom-client";

export type WorkspaceMetrics = ReturnType<typeof createMetrics>;

/** Creates the metrics of workspace. */
export function createMetrics(registry: Registry) {
  return {
    steps: new Counter({
      name: "ngpu_workspace_steps_total",
      help: "Steps sent to the chain for workspaces, by kind and result",
      labelNames: ["step", "result"] as const,
      registers: [registry],
    }),
    stuck: new Counter({
      name: "ngpu_workspace_stuck_steps_total",
      help: "Steps that lasted longer than their deadline",
      labelNames: ["step"] as const,
      registers: [registry],
    }),
  };
}
