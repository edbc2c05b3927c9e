import { absenteesOf, type HeartbeatBits } from "./heartbeatBits.ts";

/** What the chain says of the slots from `firstSlot` to before `endSlot`, as of one block. */
export type PresenceFacts = {
  firstSlot: number;
  endSlot: number;
  /** Those that were committed, each once. */
  slots: (HeartbeatBits & { slot: number })[];
  disputes: { slot: number; nodeId: number }[];
  challenges: { nodeId: number; firstSlot: number; lastSlot: number }[];
};

export type Presence = {
  /** Slots in which a node was present: committed or disputed, and not challenged. */
  presentSlots: number;
  /** Slots that the chain has a word of for it: committed with it among the nodes, or corrected for it. */
  totalSlots: number;
};

/**
 * The one count of presence that rewards, refunds, placement and the API share. A challenge has the last word, whatever was
 * committed or disputed and in whatever order. Of a slot that nobody committed nothing is known, so it counts against nobody but
 * those who were challenged in it. Costs as much as there are absences and corrections.
 *
 * @param onAbsence Told of each slot in which a node was not present.
 */
export function countPresence(
  facts: PresenceFacts,
  onAbsence?: (nodeId: number, slot: number) => void,
): Map<number, Presence> {
  const corrections = correctionsOf(facts);
  const slots = facts.slots.filter(({ slot }) => slot >= facts.firstSlot && slot < facts.endSlot);
  const size = slots.reduce((most, { nodeCount }) => Math.max(most, nodeCount), 0);
  const reaching = new Uint32Array(size + 1);
  const absences = new Uint32Array(size + 1);
  const further = new Map<number, Presence>();
  for (const committed of slots) {
    const { slot, nodeCount } = committed;
    reaching[nodeCount] = (reaching[nodeCount] ?? 0) + 1;
    for (const nodeId of correctedAbsentees(absenteesOf(committed), nodeCount, corrections.get(slot))) {
      absences[nodeId] = (absences[nodeId] ?? 0) + 1;
      onAbsence?.(nodeId, slot);
    }
  }
  const nodeCounts = new Map(slots.map(({ slot, nodeCount }) => [slot, nodeCount]));
  for (const [slot, corrected] of corrections) {
    for (const [nodeId, isPresent] of corrected) {
      if (nodeId <= (nodeCounts.get(slot) ?? 0)) continue;
      const known = further.get(nodeId) ?? { presentSlots: 0, totalSlots: 0 };
      further.set(nodeId, {
        presentSlots: known.presentSlots + (isPresent ? 1 : 0),
        totalSlots: known.totalSlots + 1,
      });
      if (!isPresent) onAbsence?.(nodeId, slot);
    }
  }
  return addUp(reaching, absences, further);
}

function addUp(
  reaching: Uint32Array,
  absences: Uint32Array,
  further: Map<number, Presence>,
): Map<number, Presence> {
  const counted = new Map(further);
  let totalSlots = 0;
  for (let nodeId = reaching.length - 1; nodeId >= 1; nodeId--) {
    totalSlots += reaching[nodeId] ?? 0;
    const more = further.get(nodeId) ?? { presentSlots: 0, totalSlots: 0 };
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
