import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import type { DispenseMetrics } from "./metrics.ts";

/** What every part needs that sends to the chain. */
export type SendingDeps = {
  pool: Database;
  sender: Pick<Sender, "send">;
  deployment: Deployment;
  logger: Logger;
  metrics: DispenseMetrics;
  /** Number of this process (holdRunnerLock). */
  runner: bigint;
  /** Maximum placements or leases in one transaction. */
  batchSize: number;
};
