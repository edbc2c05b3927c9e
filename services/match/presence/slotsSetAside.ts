import type { Queryable } from "@ngpu/db/pool";
import { isReadable } from "@ngpu/protocol/heartbeatBits";
import { newestSlots, readPresence } from "@ngpu/queries/presence";
import type { Logger } from "@ngpu/runtime/logger";
import type { MatchMetrics } from "../metrics.ts";

/** Number of newest slots that are counted: those from which a node's uptime is computed. */
const countedSlots = 60;
/** A block number above all others. */
const newest = 2n ** 63n - 1n;

/** The slots that were checked, and those of them that are set aside. */
export type CheckedSlots = { until: number; setAside: Set<number> };

/** Counts the heartbeat slots whose bits cannot be read, and names each once. Each slot is read once. */
export async function reportSlotsSetAside(
  { pool, metrics, logger }: { pool: Queryable; metrics: MatchMetrics; logger: Logger },
  checked: CheckedSlots,
): Promise<void> {
  const { firstSlot, endSlot } = await newestSlots(pool, newest, countedSlots);
  const range = { firstSlot: Math.max(firstSlot, checked.until), endSlot };
  if (range.firstSlot < endSlot) {
    const { slots } = await readPresence(pool, newest, range);
    for (const one of slots.filter((each) => !isReadable(each))) {
      const { slot, encoding, nodeCount, bits } = one;
      checked.setAside.add(slot);
      logger.error({ event: "heartbeat_slot_set_aside", slot, encoding, nodeCount, bits: bits.slice(0, 66) });
    }
    checked.until = endSlot;
  }
  for (const slot of checked.setAside) if (slot < firstSlot) checked.setAside.delete(slot);
  metrics.slotsSetAside.set(checked.setAside.size);
}
