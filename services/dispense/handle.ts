import type { Database } from "@ngpu/db/pool";
import { handleWorkspaces } from "@ngpu/db/workspaceQueue";
import type { Logger } from "@ngpu/runtime/logger";
import { decidePlacements, type PlacementLimits } from "./decide.ts";
import type { DispenseMetrics } from "./metrics.ts";
import { loadPlacementFacts, requestPlacement } from "./store.ts";

export type HandleDeps = {
  pool: Database;
  logger: Logger;
  metrics: DispenseMetrics;
  limits: PlacementLimits;
  /** Adds a request to match's queue. */
  enqueuePlacement: (requestId: string) => Promise<void>;
};

/**
 * Creates the handler of the `dispense` queue, which requests a placement for each replica without a lease. It is idempotent and
 * safe to run on several instances.
 */
export function createHandler(deps: HandleDeps): (ids: Record<string, string>) => Promise<void> {
  const { pool, logger, metrics, limits, enqueuePlacement } = deps;
  return handleWorkspaces(async (workspaceId) => {
    const facts = await loadPlacementFacts(pool, workspaceId, limits);
    if (facts === null) return;
    for (const { replica, excluded } of decidePlacements(facts)) {
      const requestId = await requestPlacement(pool, { workspaceId, replica, excluded });
      if (requestId === null) continue;
      metrics.placements.inc({ outcome: "requested" });
      logger.info({ event: "placement_requested", requestId, workspaceId, replica, excluded });
      await enqueuePlacement(requestId);
    }
  });
}
