import { decodeHeartbeats, type HeartbeatBits } from "../../shared/chain/heartbeatBits.ts";
import type { LeaseDowntime, UptimeLeaf } from "../../shared/chain/uptimeTree.ts";

/** What the chain says of a day (its own length, Unix time / length). Times are Unix seconds. */
export type DayFacts = {
  day: bigint;
  daySeconds: number;
  slotSeconds: number;
  slots: (HeartbeatBits & { slot: number })[];
  disputes: { slot: number; nodeId: number }[];
  challenges: { nodeId: number; firstSlot: number; lastSlot: number }[];
  /** While a lease ran and was paid for; one lease may have several, which do not overlap. */
  runs: (Omit<LeaseDowntime, "day" | "downSeconds"> & { from: number; to: number })[];
};

type Presence = { presentSlots: number; totalSlots: number; downSlots: number[] };

/**
 * The leaves of a day's uptime tree. A node was present in a slot when its bit was committed or disputed and the slot was not
 * challenged. Of a slot that nobody committed nothing is known, so it counts against nobody, but where it was challenged.
 */
export function uptimeLeaves(facts: DayFacts): UptimeLeaf[] {
  const presence = presenceOf(facts);
  const nodes = [...presence]
    .filter(([, { totalSlots }]) => totalSlots > 0)
    .sort(([a], [b]) => a - b)
    .map(([nodeId, { presentSlots, totalSlots }]): UptimeLeaf => {
      return { kind: "node", day: facts.day, nodeId, presentSlots, totalSlots };
    });
  return [...nodes, ...downtimeOf(facts, presence).map((leaf) => ({ kind: "lease" as const, ...leaf }))];
}

function presenceOf({ day, daySeconds, slotSeconds, ...facts }: DayFacts): Map<number, Presence> {
  const begin = Number(day) * daySeconds;
  const [first, end] = [Math.ceil(begin / slotSeconds), Math.ceil((begin + daySeconds) / slotSeconds)];
  const bits = new Map(facts.slots.map((slot) => [slot.slot, slot]));
  const disputed = Map.groupBy(facts.disputes, ({ slot }) => slot);
  const presence = new Map<number, Presence>();
  const count = (nodeId: number, slot: number, isPresent: boolean) => {
    const node = presence.get(nodeId) ?? { presentSlots: 0, totalSlots: 0, downSlots: [] };
    presence.set(nodeId, node);
    node.totalSlots += 1;
    if (isPresent) node.presentSlots += 1;
    else node.downSlots.push(slot);
  };
  for (let slot = first; slot < end; slot++) {
    const committed = bits.get(slot);
    const present = committed === undefined ? new Set<number>() : decodeHeartbeats(committed);
    const nodeCount = committed?.nodeCount ?? 0;
    const corrected = new Map((disputed.get(slot) ?? []).map(({ nodeId }) => [nodeId, true]));
    for (const { nodeId, firstSlot, lastSlot } of facts.challenges) {
      if (slot >= firstSlot && slot <= lastSlot) corrected.set(nodeId, false);
    }
    for (let nodeId = 1; nodeId <= nodeCount; nodeId++) {
      count(nodeId, slot, corrected.get(nodeId) ?? present.has(nodeId));
    }
    for (const [nodeId, isPresent] of corrected) {
      if (nodeId > nodeCount) count(nodeId, slot, isPresent);
    }
  }
  return presence;
}

function downtimeOf({ day, slotSeconds, runs }: DayFacts, presence: Map<number, Presence>): LeaseDowntime[] {
  const leases = new Map<string, LeaseDowntime>();
  for (const { from, to, ...lease } of runs) {
    const down = (presence.get(lease.nodeId)?.downSlots ?? []).reduce((seconds, slot) => {
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
