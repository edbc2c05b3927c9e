import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import type { Market } from "./market.ts";

/** Whether a node was absent in a slot, before disputes and challenges. */
export type Absences = (nodeId: number, slot: number) => boolean;

/** Writes the heartbeats of every slot of the day, disputes of some absences, and challenges of some nodes. */
export function writePresence(market: Market): Absences {
  const { add, blockAt, dayBegin, dayEnd, scale, between } = market;
  const [first, end] = [dayBegin / 60, dayEnd / 60];
  const absent = absencesOf(market, first, end);
  const present = new Set(Array.from({ length: scale.nodes }, (_, place) => place + 1));
  for (let slot = first; slot < end; slot++) {
    const own = absent.get(slot) ?? new Set<number>();
    for (const nodeId of own) present.delete(nodeId);
    const { encoding, bits, nodeCount } = encodeHeartbeats(scale.nodes, present);
    const block = blockAt((slot + 1) * 60 + between(4, 30));
    add("ComputeNode", "HeartbeatsCommitted", block, {
      slot: BigInt(slot),
      encoding: encoding === "bitmap" ? 0 : 1,
      nodeCount,
      bits,
    });
    const [restored] = own;
    if (restored !== undefined && between(0, 3) === 0) {
      for (const { index, bits: word } of wordsOf(new Set([restored])))
        add("ComputeNode", "HeartbeatsDisputed", block + between(20, 60), {
          slot: BigInt(slot),
          word: index,
          bits: word,
        });
    }
    if (between(0, 7) === 0) {
      const nodeId = between(1, scale.nodes);
      const lastSlot = Math.min(end - 1, slot + between(0, 9));
      add("ComputeNode", "PresenceChallenged", blockAt((lastSlot + 1) * 60 + 600), {
        nodeId,
        firstSlot: BigInt(slot),
        lastSlot: BigInt(lastSlot),
      });
    }
    for (const nodeId of own) present.add(nodeId);
  }
  return (nodeId, slot) => absent.get(slot)?.has(nodeId) ?? false;
}

/** A few nodes are down for up to an hour, and any may miss a slot. */
function absencesOf({ scale, random, between }: Market, first: number, end: number) {
  const absent = new Map<number, Set<number>>();
  const miss = (nodeId: number, slot: number) => {
    if (slot < end) absent.set(slot, (absent.get(slot) ?? new Set()).add(nodeId));
  };
  for (let nodeId = 1; nodeId <= scale.nodes; nodeId++) {
    if (random() < 0.3) miss(nodeId, between(first, end - 1));
    if (random() > 0.05) continue;
    const from = between(first, end - 1);
    const length = between(2, 60);
    for (let slot = from; slot < from + length; slot++) miss(nodeId, slot);
  }
  return absent;
}
