import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { readPresence } from "@ngpu/queries/presence";
import { nodesThatServed } from "@ngpu/rewards/bonds";
import { finalDays, slotsOfDay } from "@ngpu/rewards/epochs";
import { RetryableError } from "@ngpu/runtime/errors";
import { firstBlockTime, lastBlockBefore } from "../store.ts";

/**
 * Number of days that each node served, among the days whose presence is final by the end of an epoch's settlement. Each day is
 * read as of the block of its uptime root.
 *
 * @param options.settledAt Unix seconds: blocks from this second on do not count.
 * @param options.after The last day already counted; null if there is none.
 * @throws RetryableError `day_not_exported` while the day's blocks are not exported.
 */
export async function servedDays(
  database: Database,
  options: { deployment: Deployment; bondUptimePermille: number; settledAt: number; after: number | null },
): Promise<{ throughDay: number | null; served: { nodeId: number; days: number }[] }> {
  const { deployment, bondUptimePermille, settledAt, after } = options;
  const { daySeconds, heartbeatWindowSeconds } = deployment.parameters;
  const begin = after === null ? await firstBlockTime(database) : (after + 1) * daySeconds;
  const days =
    begin === null ? [] : finalDays(settledAt, Math.floor(begin / daySeconds) - 1, deployment.parameters);
  const served = new Map<number, number>();
  for (const day of days) {
    const asOf = await lastBlockBefore(database, (day + 1) * daySeconds + heartbeatWindowSeconds);
    if (asOf === null) {
      throw new RetryableError(`No block of day ${day} is exported yet.`, {
        code: "day_not_exported",
        hint: "Wait until autoExport has exported this day.",
      });
    }
    const facts = await readPresence(database, asOf.block, slotsOfDay(day, deployment.parameters));
    for (const nodeId of nodesThatServed(facts, { uptimePermille: bondUptimePermille })) {
      served.set(nodeId, (served.get(nodeId) ?? 0) + 1);
    }
  }
  return {
    throughDay: days.at(-1) ?? after,
    served: [...served]
      .map(([nodeId, count]) => ({ nodeId, days: count }))
      .sort((a, b) => a.nodeId - b.nodeId),
  };
}
