import type { Queryable } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { createStuckReports } from "@ngpu/runtime/stuckReports";
import type { DispenseMetrics } from "./metrics.ts";
import { answeredSince, unanswered, unplaced } from "./store.ts";

export type SweepDeps = {
  pool: Queryable;
  logger: Logger;
  metrics: DispenseMetrics;
  /** Seconds after which a request without an answer counts as stuck. */
  placementDeadline: number;
  enqueuePlacement: (requestId: string) => Promise<void>;
  /** Has a workspace's missing replicas looked at again. */
  requeue: (workspaceId: bigint) => Promise<void>;
};

/**
 * Makes the round that rebuilds every queue from Postgres: a job that is still there is left alone, one that a lost Redis forgot
 * is put back.
 */
export function createSweep(deps: SweepDeps): () => Promise<void> {
  const { pool, logger, metrics, placementDeadline } = deps;
  const reports = createStuckReports();
  let seen: string | null = null;
  return async () => {
    for (const { requestId, seconds, ...place } of await unanswered(pool)) {
      await deps.enqueuePlacement(requestId);
      if (seconds <= placementDeadline || !reports.isNew(requestId)) continue;
      logger.warn({ event: "placement_stuck", requestId, ...place, seconds });
      metrics.stuck.inc();
    }
    for (const workspaceId of await unplaced(pool)) await deps.requeue(workspaceId);
    const { answers, cursor } = await answeredSince(pool, seen);
    seen = cursor;
    for (const { requestId, status, workspaceId, replica, refusals } of answers) {
      metrics.placements.inc({ outcome: status });
      if (status === "answered") continue;
      logger.warn({ event: "placement_impossible", requestId, workspaceId, replica, refusals });
    }
  };
}
