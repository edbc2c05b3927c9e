import type { Database } from "@ngpu/db/pool";
import { handleWorkspaces } from "@ngpu/db/workspaceQueue";
import type { Logger } from "@ngpu/runtime/logger";
import { decidePlacements, type PlacementLimits } from "./decide.ts";
import type { DispenseMetrics } from "./metrics.ts";
import { askPlacement, loadPlacementFacts } from "./store.ts";

export type HandleDeps = {
  pool: Database;
  logger: Logger;
  metrics: DispenseMetrics;
  limits: PlacementLimits;
  /** Puts a request in the queue that match serves. */
  askMatch: (requestId: string) => Promise<void>;
};

/**
 * Makes the handler of the `dispense` queue: asks match for a node for each replica without one. Safe to run twice and on several
 * instances at once.
 */
export function createHandler(deps: HandleDeps): (ids: Record<string, string>) => Promise<void> {
  const { pool, logger, metrics, limits, askMatch } = deps;
  return handleWorkspaces(async (workspaceId) => {
    const facts = await loadPlacementFacts(pool, workspaceId, limits);
    if (facts === null) return;
    for (const { replica, excluded } of decidePlacements(facts)) {
      const requestId = await askPlacement(pool, { workspaceId, replica, excluded });
      if (requestId === null) continue;
      metrics.placements.inc({ outcome: "asked" });
      logger.info({ event: "placement_asked", requestId, workspaceId, replica, excluded });
      await askMatch(requestId);
    }
  });
}
