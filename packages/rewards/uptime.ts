import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import type { LeaseDowntime, UptimeLeaf } from "@ngpu/protocol/uptimeTree";
import { slotsOfDay } from "./epochs.ts";

/** Chain data of a day. A day's number is its Unix time divided by `daySeconds`. Times are Unix seconds. */
export type DayFacts = Omit<PresenceFacts, "firstSlot" | "endSlot"> & {
  day: bigint;
  daySeconds: number;
  slotSeconds: number;
  /** Periods in which a lease ran and was paid for. A lease may have several; they do not overlap. */
  runs: (Omit<LeaseDowntime, "day" | "downSeconds"> & { from: number; to: number })[];
};

/** The leaves of a day's uptime tree. */
export function uptimeLeaves(facts: DayFacts): UptimeLeaf[] {
  const { day, slots, disputes, challenges } = facts;
  const leased = new Set(facts.runs.map(({ nodeId }) => nodeId));
  const downSlots = new Map<number, number[]>();
  const presence = countPresence(
    { ...slotsOfDay(Number(day), facts), slots, disputes, challenges },
    (nodeId, slot) => {
      if (!leased.has(nodeId)) return;
      const down = downSlots.get(nodeId);
      if (down === undefined) downSlots.set(nodeId, [slot]);
      else down.push(slot);
    },
  );
  const nodes = [...presence]
    .sort(([a], [b]) => a - b)
    .map(([nodeId, counted]): UptimeLeaf => ({ kind: "node", day, nodeId, ...counted }));
  return [...nodes, ...downtimeOf(facts, downSlots).map((leaf) => ({ kind: "lease" as const, ...leaf }))];
}

function downtimeOf(
  { day, slotSeconds, runs }: DayFacts,
  downSlots: ReadonlyMap<number, number[]>,
): LeaseDowntime[] {
  const leases = new Map<string, LeaseDowntime>();
  for (const { from, to, ...lease } of runs) {
    const down = (downSlots.get(lease.nodeId) ?? []).reduce((seconds, slot) => {
      const overlap = Math.min(to, (slot + 1) * slotSeconds) - Math.max(from, slot * slotSeconds);
      return seconds + Math.max(0, overlap);
    }, 0);
    const key = `${lease.workspaceId}/${lease.replica}/${lease.lease}`;
    const before = leases.get(key)?.downSeconds ?? 0;
    leases.set(key, { ...lease, day, downSeconds: before + Math.floor(down) });
  }
  return [...leases.values()].filter(({ downSeconds }) => downSeconds > 0).sort(byLease);
}

function byLease(a: LeaseDowntime, b: LeaseDowntime): number {
  if (a.workspaceId !== b.workspaceId) return a.workspaceId < b.workspaceId ? -1 : 1;
  return a.replica - b.replica || a.lease - b.lease;
}
