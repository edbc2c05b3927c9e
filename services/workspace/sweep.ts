import type { Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { forgetOldSteps, releaseAbandonedSteps } from "@ngpu/tx-sender/stepLedger";
import { findDue, type Terms } from "./due.ts";

export type SweepDeps = {
  pool: Database;
  terms: Terms;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  logger: Logger;
  signal: AbortSignal;
  /** Milliseconds. */
  interval: number;
  enqueue: (workspaceId: bigint) => Promise<void>;
};

const hourMs = 3_600_000;

/**
 * Starts the sweep, which queues every due workspace from Postgres. Jobs lost with Redis or with a notification are queued
 * again within `interval`.
 */
export function startSweep(deps: SweepDeps): Loop {
  let forgotAt = 0;
  return startLoop({ name: "workspace sweep", ...deps }, async (signal) => {
    await releaseAbandonedSteps(deps.pool, deps.runner);
    for (const workspaceId of await findDue(deps.pool, deps.terms)) {
      if (signal.aborted) return;
      await deps.enqueue(workspaceId);
    }
    if (Date.now() - forgotAt < hourMs) return;
    forgotAt = Date.now();
    await forgetOldSteps(deps.pool);
  });
}
