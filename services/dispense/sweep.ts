import type { Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { createStuckReports } from "@ngpu/runtime/stuckReports";
import { releaseAbandonedSteps } from "@ngpu/tx-sender/stepLedger";
import { releaseAbandonedBatches } from "./batchEnds.ts";
import type { DispenseMetrics } from "./metrics.ts";
import { answeredSince, unanswered, unplaced } from "./store.ts";

export type SweepDeps = {
  pool: Database;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  logger: Logger;
  metrics: DispenseMetrics;
  /** Seconds after which a request without an answer counts as stuck. */
  placementDeadline: number;
  enqueuePlacement: (requestId: string) => Promise<void>;
  /** Queues a workspace with missing replicas again. */
  requeue: (workspaceId: bigint) => Promise<void>;
  /** Starts a round of the assignments. */
  onBatchReleased: () => void;
};

/**
 * Creates the sweep, which restores the queues from Postgres. Jobs that are still queued stay; jobs lost with Redis are added
 * again.
 */
export function createSweep(deps: SweepDeps): () => Promise<void> {
  const { pool, logger, metrics, placementDeadline } = deps;
  const reports = createStuckReports();
  let seen: string | null = null;
  return async () => {
    await releaseAbandonedSteps(pool, deps.runner);
    if ((await releaseAbandonedBatches(pool, deps.runner)) > 0) deps.onBatchReleased();
    for (const { requestId, seconds, ...ids } of await unanswered(pool)) {
      await deps.enqueuePlacement(requestId);
      if (seconds <= placementDeadline || !reports.isNew(requestId)) continue;
      logger.warn({ event: "placement_stuck", requestId, ...ids, seconds });
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
