import type { Queryable } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { type DueEndpoint, deleteOldEvents, disableFailing, failExpired, findDueEndpoints } from "./store.ts";

/** The sweep queues every endpoint with due deliveries from Postgres, so that a job lost with Redis is queued again. */
export function createSweep(
  db: Queryable,
  enqueue: (endpoint: DueEndpoint) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const due = await findDueEndpoints(db);
    await Promise.all(due.map(enqueue));
  };
}

/** Ends what is over: expired deliveries, endpoints that always fail, old events. */
export async function tidy(db: Queryable, hours: number, logger: Logger): Promise<void> {
  const expired = await failExpired(db);
  if (expired > 0) logger.info({ event: "webhook_deliveries_expired", expired });
  for (const endpointId of await disableFailing(db, hours)) {
    logger.warn({ event: "webhook_endpoint_disabled", endpointId, reason: "failing" });
  }
  await deleteOldEvents(db);
}
