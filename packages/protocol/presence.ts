import { absenteesOf, type HeartbeatBits, isReadable } from "./heartbeatBits.ts";

/** The commits, disputes and challenges of a range of slots, as of one block. */
export type PresenceFacts = {
  firstSlot: number;
  /** The first slot after the range. */
  endSlot: number;
  /** The committed slots, each once. */
  slots: (HeartbeatBits & { slot: number })[];
  disputes: { slot: number; nodeId: number }[];
  challenges: { nodeId: number; firstSlot: number; lastSlot: number }[];
};

/** Number of newest heartbeat slots from which placement computes a node's uptime. */
export const uptimeSlots = 60;

export type Presence = {
  /** Slots in which a node was present: committed or disputed, and not challenged. */
  presentSlots: number;
  /** Slots that the chain has a record of for this node: committed for it, disputed or challenged. */
  totalSlots: number;
};

/**
 * Counts the presence of nodes. Rewards, refunds, placement and the API all use this count. A challenge overrides
 * commits and disputes, in whatever order they were recorded. A slot that was not committed counts only for nodes that
 * were disputed or challenged in it. A slot whose bits cannot be read counts as not committed. The cost grows with the number of absences and corrections.
 *
 * @param onAbsence Called for each slot in which a node was not present.
 */
export function countPresence(
  facts: PresenceFacts,
  onAbsence?: (nodeId: number, slot: number) => void,
): Map<number, Presence> {
  const corrections = correctionsOf(facts);
  const slots = facts.slots.filter(
    (one) => one.slot >= facts.firstSlot && one.slot < facts.endSlot && isReadable(one),
  );
  const size = slots.reduce((most, { nodeCount }) => Math.max(most, nodeCount), 0);
  const slotsByNodeCount = new Uint32Array(size + 1);
  const absences = new Uint32Array(size + 1);
  const uncovered = new Map<number, Presence>();
  for (const committed of slots) {
    const { slot, nodeCount } = committed;
    slotsByNodeCount[nodeCount] = (slotsByNodeCount[nodeCount] ?? 0) + 1;
    for (const nodeId of correctedAbsentees(absenteesOf(committed), nodeCount, corrections.get(slot))) {
      absences[nodeId] = (absences[nodeId] ?? 0) + 1;
      onAbsence?.(nodeId, slot);
    }
  }
  const nodeCounts = new Map(slots.map(({ slot, nodeCount }) => [slot, nodeCount]));
  for (const [slot, corrected] of corrections) {
    for (const [nodeId, isPresent] of corrected) {
      if (nodeId <= (nodeCounts.get(slot) ?? 0)) continue;
      const known = uncovered.get(nodeId) ?? { presentSlots: 0, totalSlots: 0 };
      uncovered.set(nodeId, {
        presentSlots: known.presentSlots + (isPresent ? 1 : 0),
        totalSlots: known.totalSlots + 1,
      });
      if (!isPresent) onAbsence?.(nodeId, slot);
    }
  }
  return addUp(slotsByNodeCount, absences, uncovered);
}

/**
 * Totals by node. `slotsByNodeCount` counts the committed slots by their node count: node n is covered by every slot
 * with a node count of n or more. `uncovered` is the presence in slots whose commit does not cover the node.
 */
function addUp(
  slotsByNodeCount: Uint32Array,
  absences: Uint32Array,
  uncovered: Map<number, Presence>,
): Map<number, Presence> {
  const counted = new Map(uncovered);
  let totalSlots = 0;
  for (let nodeId = slotsByNodeCount.length - 1; nodeId >= 1; nodeId--) {
    totalSlots += slotsByNodeCount[nodeId] ?? 0;
    const more = uncovered.get(nodeId) ?? { presentSlots: 0, totalSlots: 0 };
    counted.set(nodeId, {
      presentSlots: totalSlots - (absences[nodeId] ?? 0) + more.presentSlots,
      totalSlots: totalSlots + more.totalSlots,
    });
  }
  return counted;
}

function correctionsOf({ firstSlot, endSlot, disputes, challenges }: PresenceFacts) {
  const bySlot = new Map<number, Map<number, boolean>>();
  const correct = (slot: number, nodeId: number, isPresent: boolean) => {
    const nodes = bySlot.get(slot) ?? new Map<number, boolean>();
    bySlot.set(slot, nodes.set(nodeId, isPresent));
  };
  for (const { slot, nodeId } of disputes) {
    if (slot >= firstSlot && slot < endSlot) correct(slot, nodeId, true);
  }
  for (const challenge of challenges) {
    const last = Math.min(challenge.lastSlot, endSlot - 1);
    for (let slot = Math.max(challenge.firstSlot, firstSlot); slot <= last; slot++) {
      correct(slot, challenge.nodeId, false);
    }
  }
  return bySlot;
}

function correctedAbsentees(
  absentees: number[],
  nodeCount: number,
  corrected: ReadonlyMap<number, boolean> | undefined,
): Iterable<number> {
  if (corrected === undefined) return absentees;
  const absent = new Set(absentees);
  for (const [nodeId, isPresent] of corrected) {
    if (isPresent) absent.delete(nodeId);
    else if (nodeId <= nodeCount) absent.add(nodeId);
  }
  return absent;
}
