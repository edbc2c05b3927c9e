import type { Presence } from "./presence.ts";

export type Readings = {
  /** Reads a slot's shared bits once more. @returns everyone read so far; undefined while it is too early to say so */
  take(slot: bigint, now: number): Promise<ReadonlySet<number> | undefined>;
  /** Forgets slots that need no further reading. */
  retain(slots: ReadonlySet<bigint>): void;
};

/**
 * Reads the shared bits of slots that have ended. A Redis that loses its memory just before a reading has the bits again
 * once every instance has repeated its own; so what counts is everything read over at least `settleMs`.
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
