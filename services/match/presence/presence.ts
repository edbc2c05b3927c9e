import { randomUUID } from "node:crypto";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Redis } from "ioredis";

/** How long a slot's bits stay in Redis, in slots. */
const keptSlots = 30;
/** Bits are gathered for so long into one round trip, in ms. */
const batchDelayMs = 50;

export type Presence = {
  /** Notes that a node was there. Resolves once Redis has the bit; if Redis is away, that is when it is back. */
  mark(slot: bigint, nodeId: number): Promise<void>;
  /** Sets again everything that this instance saw in a slot: a Redis that lost its memory gets it back. */
  repeat(slot: bigint): Promise<void>;
  /** Everyone whom any instance saw in a slot. */
  read(slot: bigint): Promise<Set<number>>;
  /** Slots that this instance has bits of. */
  slots(): bigint[];
  forget(slot: bigint): void;
};

/** The shared bitmap of each heartbeat slot: one bit a node, set in Redis by any instance, kept in memory until it is posted. */
export function createPresence(options: { redis: Redis; deployment: Deployment }): Presence {
  const { redis, deployment } = options;
  const prefix = `ngpu:presence:${deployment.chainId}:${deployment.contracts.ComputeNode.toLowerCase()}`;
  const keyOf = (slot: bigint) => `${prefix}:${slot}`;
  const seconds = keptSlots * deployment.parameters.slotSeconds;
  const memory = new Map<bigint, Set<number>>();
  const scratch = `${prefix}:repeat:${randomUUID()}`;
  let pendingBits: { slot: bigint; nodeId: number }[] = [];
  let flush: Promise<void> | undefined;

  const write = async (bits: { slot: bigint; nodeId: number }[]) => {
    const pipeline = redis.pipeline();
    for (const { slot, nodeId } of bits) pipeline.setbit(keyOf(slot), nodeId - 1, 1);
    for (const slot of new Set(bits.map((bit) => bit.slot))) pipeline.expire(keyOf(slot), seconds);
    const results = (await pipeline.exec()) ?? [];
    for (const [error] of results) if (error !== null) throw error;
  };
  return {
    mark(slot, nodeId) {
      const seen = memory.get(slot) ?? new Set();
      memory.set(slot, seen.add(nodeId));
      pendingBits.push({ slot, nodeId });
      flush ??= new Promise<void>((resolve) => setTimeout(resolve, batchDelayMs)).then(() => {
        const bits = pendingBits;
        pendingBits = [];
        flush = undefined;
        return write(bits);
      });
      return flush;
    },
    async repeat(slot) {
      const seen = memory.get(slot);
      if (seen === undefined || seen.size === 0) return;
      // All of them at once, however many there are.
      const replies = await redis
        .multi()
        .set(scratch, bitmapOf(seen), "EX", seconds)
        .bitop("OR", keyOf(slot), keyOf(slot), scratch)
        .expire(keyOf(slot), seconds)
        .exec();
      for (const [error] of replies ?? []) if (error !== null) throw error;
    },
    async read(slot) {
      const bytes = await redis.getBuffer(keyOf(slot));
      const present = new Set<number>();
      for (const [position, byte] of (bytes ?? Buffer.alloc(0)).entries()) {
        // Redis counts bits from the highest of each byte.
        for (let bit = 0; bit < 8; bit += 1) if ((byte << bit) & 0x80) present.add(position * 8 + bit + 1);
      }
      return present;
    },
    slots: () => [...memory.keys()],
    forget: (slot) => void memory.delete(slot),
  };
}

/** Redis counts bits from the highest of each byte. */
function bitmapOf(nodeIds: ReadonlySet<number>): Buffer {
  let largest = 0;
  for (const nodeId of nodeIds) largest = Math.max(largest, nodeId);
  const bytes = Buffer.alloc(Math.ceil(largest / 8));
  for (const nodeId of nodeIds) {
    const position = (nodeId - 1) >> 3;
    bytes[position] = (bytes[position] ?? 0) | (0x80 >> ((nodeId - 1) & 7));
  }
  return bytes;
}
