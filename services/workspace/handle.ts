import { handleWorkspaces } from "@ngpu/db/workspaceQueue";
import { createStuckReports } from "@ngpu/runtime/stuckReports";
import { type ActDeps, act } from "./act.ts";
import { type Deadlines, decide, findStuck } from "./decide.ts";
import type { WorkspaceMetrics } from "./metrics.ts";
import { loadFacts } from "./store.ts";

export type HandleDeps = ActDeps & { metrics: WorkspaceMetrics; deadlines: Deadlines };

/**
 * Creates the handler of the `workspace` queue, which reads the current state and executes the next steps. It is idempotent and
 * safe to run on several instances.
 */
export function createHandler(deps: HandleDeps): (ids: Record<string, string>) => Promise<void> {
  const reports = createStuckReports();
  return handleWorkspaces(async (workspaceId) => {
    const loaded = await loadFacts(deps.pool, workspaceId, deps.deployment.parameters);
    if (loaded === null) return;
    const { facts, head } = loaded;
    for (const stuck of findStuck(facts, deps.deadlines)) {
      const key = `${stuck.name}:${workspaceId}/${stuck.replica}/${stuck.lease ?? "-"}`;
      if (!reports.isNew(key)) continue;
      const { name, ...fields } = stuck;
      deps.logger.warn({ event: "workspace_step_stuck", workspaceId, step: name, ...fields });
      deps.metrics.stuck.inc({ step: name });
    }
    for (const { type, refusal } of await act(deps, workspaceId, head, decide(facts))) {
      deps.metrics.steps.inc({ step: type, result: refusal === null ? "done" : "refused" });
    }
  });
}
