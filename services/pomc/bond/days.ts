import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { isReadable } from "@ngpu/protocol/heartbeatBits";
import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { readPresence } from "@ngpu/queries/presence";
import { RetryableError } from "@ngpu/runtime/errors";
import { firstBlockTime, lastBlockBefore } from "../store.ts";
import { slotsOfDay } from "../uptime/decide.ts";
import type { BondTerms } from "./decide.ts";

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
  options: { deployment: Deployment; terms: BondTerms; settledAt: number; after: number | null },
): Promise<{ throughDay: number | null; served: { nodeId: number; days: number }[] }> {
  const { deployment, terms, settledAt, after } = options;
  const { daySeconds, heartbeatWindowSeconds } = deployment.parameters;
  const begin = after === null ? await firstBlockTime(database) : (after + 1) * daySeconds;
  const last = Math.floor((settledAt - heartbeatWindowSeconds) / daySeconds) - 1;
  const first = begin === null ? last + 1 : Math.floor(begin / daySeconds);
  const served = new Map<number, number>();
  for (let day = first; day <= last; day++) {
    const asOf = await lastBlockBefore(database, (day + 1) * daySeconds + heartbeatWindowSeconds);
    if (asOf === null) {
      throw new RetryableError(`No block of day ${day} is exported yet.`, {
        code: "day_not_exported",
        hint: "Wait until autoExport has exported this day.",
      });
    }
    const slots = slotsOfDay(BigInt(day), deployment.parameters);
    const facts = await readPresence(database, asOf.block, slots);
    for (const nodeId of nodesThatServed(facts, terms)) served.set(nodeId, (served.get(nodeId) ?? 0) + 1);
  }
  return {
    throughDay: last >= first ? last : after,
    served: [...served].map(([nodeId, days]) => ({ nodeId, days })).sort((a, b) => a.nodeId - b.nodeId),
  };
}

/**
 * The nodes that were present in enough of a day's slots. Slots that were never committed do not count against a node. Slots
 * committed before its registration do: only a full day counts.
 */
export function nodesThatServed(facts: PresenceFacts, { uptimePermille }: BondTerms): number[] {
  const committed = facts.slots.filter(isReadable).length;
  return [...countPresence(facts)]
    .filter(([, { presentSlots, totalSlots }]) => {
      const slots = Math.max(totalSlots, committed);
      return presentSlots * 1_000 >= uptimePermille * slots;
    })
    .map(([nodeId]) => nodeId);
}
