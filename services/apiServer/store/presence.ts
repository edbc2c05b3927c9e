import type { Queryable } from "@ngpu/db/pool";
import { isReadable } from "@ngpu/protocol/heartbeatBits";
import { countPresence } from "@ngpu/protocol/presence";
import { newestSlots, readPresence } from "@ngpu/queries/presence";

/** A block number above all others: reads the current state. */
const newest = 2n ** 63n - 1n;

export type SlotPresence = { slot: number; listed: number; present: number };

/** How many nodes each of the newest slots covers, and how many of them were present. */
export async function newestPresence(db: Queryable, limit: number): Promise<SlotPresence[]> {
  const facts = await readPresence(db, newest, await newestSlots(db, newest, limit));
  const committed = new Map(
    facts.slots.filter(isReadable).map(({ slot, nodeCount }) => [slot, { listed: nodeCount, absent: 0 }]),
  );
  countPresence(facts, (nodeId, slot) => {
    const one = committed.get(slot);
    if (one !== undefined && nodeId <= one.listed) one.absent += 1;
  });
  return [...committed].map(([slot, { listed, absent }]) => ({ slot, listed, present: listed - absent }));
}

/** A node's presence in each of the newest slots, oldest first: 1 present, 0 absent, - no record. */
export async function nodeSlotsOf(
  db: Queryable,
  nodeId: number,
  limit: number,
): Promise<{ firstSlot: number; slots: string }> {
  const range = await newestSlots(db, newest, limit);
  const firstSlot = Math.max(range.firstSlot, range.endSlot - limit);
  const facts = await readPresence(db, newest, { ...range, firstSlot }, nodeId);
  const covered = facts.slots.filter((one) => isReadable(one) && nodeId <= one.nodeCount);
  const present = new Set([...covered, ...facts.disputes].map(({ slot }) => slot));
  const absent = new Set<number>();
  countPresence(facts, (absentee, slot) => {
    if (absentee === nodeId) absent.add(slot);
  });
  const slots = Array.from({ length: range.endSlot - firstSlot }, (_one, index) => {
    const slot = firstSlot + index;
    if (absent.has(slot)) return "0";
    return present.has(slot) ? "1" : "-";
  });
  return { firstSlot, slots: slots.join("") };
}
