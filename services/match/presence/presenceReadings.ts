import type { Presence } from "./presence.ts";

export type Readings = {
  /**
   * Reads a slot's shared bits again.
   *
   * @param now ms since the epoch
   * @returns all nodes read so far; undefined before `settleMs` have passed since the first reading
   */
  take(slot: bigint, now: number): Promise<ReadonlySet<number> | undefined>;
  /** Drops the readings of all other slots. */
  retain(slots: ReadonlySet<bigint>): void;
};

/**
 * Reads the shared bits of slots that have ended. If Redis loses its data just before a reading, the bits return when every
 * instance has repeated its own. The result is therefore the union of all readings over at least `settleMs`.
 */
export function createReadings(presence: Pick<Presence, "read">, settleMs: number): Readings {
  const taken = new Map<bigint, { since: number; present: Set<number> }>();
  return {
    async take(slot, now) {
      const { since, present } = taken.get(slot) ?? { since: now, present: new Set<number>() };
      for (const nodeId of await presence.read(slot)) present.add(nodeId);
      taken.set(slot, { since, present });
      return now - since >= settleMs ? present : undefined;
    },
    retain(slots) {
      for (const slot of taken.keys()) if (!slots.has(slot)) taken.delete(slot);
    },
  };
}
