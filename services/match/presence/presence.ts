import { randomUUID } from "node:crypto";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Redis } from "ioredis";

/** Expiry of a slot's bits in Redis, slots. */
const keptSlots = 30;
/** Delay in which bits are collected for one round trip, ms. */
const batchDelayMs = 50;

export type Presence = {
  /** Sets a node's bit. Resolves once Redis has it; while Redis is unavailable it waits. */
  mark(slot: bigint, nodeId: number): Promise<void>;
  /** Sets all bits of this instance again, which restores them after Redis lost its data. */
  repeat(slot: bigint): Promise<void>;
  /** Ids of the nodes that were present in a slot, on any instance. */
  read(slot: bigint): Promise<Set<number>>;
  /** Ids of the nodes whose bits this instance has. */
  seen(slot: bigint): ReadonlySet<number>;
  /** Slots of which this instance has bits. */
  slots(): bigint[];
  /** Drops this instance's bits of a slot. */
  forget(slot: bigint): void;
};

type Bit = { slot: bigint; nodeId: number };

/** Where and for how long Redis keeps the bits. */
type Bitmaps = {
  redis: Redis;
  keyOf: (slot: bigint) => string;
  /** Key of this instance for a bitmap that is merged into a slot's. */
  scratch: string;
  /** Expiry of each key, in seconds. */
  seconds: number;
};

/**
 * A bitmap per heartbeat slot, one bit per node, shared in Redis. Each instance keeps its own bits in memory until the slot
 * is committed.
 */
export function createPresence(options: { redis: Redis; deployment: Deployment }): Presence {
  const bitmaps = bitmapsOf(options);
  const memory = new Map<bigint, Set<number>>();
  let pendingBits: Bit[] = [];
  let flush: Promise<void> | undefined;
  return {
    mark(slot, nodeId) {
      const seen = memory.get(slot) ?? new Set();
      memory.set(slot, seen.add(nodeId));
      pendingBits.push({ slot, nodeId });
      flush ??= new Promise<void>((resolve) => setTimeout(resolve, batchDelayMs)).then(() => {
        const bits = pendingBits;
        pendingBits = [];
        flush = undefined;
        return write(bitmaps, bits);
      });
      return flush;
    },
    async repeat(slot) {
      const seen = memory.get(slot);
      if (seen !== undefined && seen.size > 0) await merge(bitmaps, slot, seen);
    },
    read: async (slot) => nodeIdsIn(await bitmaps.redis.getBuffer(bitmaps.keyOf(slot))),
    seen: (slot) => memory.get(slot) ?? new Set(),
    slots: () => [...memory.keys()],
    forget: (slot) => void memory.delete(slot),
  };
}

function bitmapsOf({ redis, deployment }: { redis: Redis; deployment: Deployment }): Bitmaps {
  const prefix = `ngpu:presence:${deployment.chainId}:${deployment.contracts.ComputeNode.toLowerCase()}`;
  return {
    redis,
    keyOf: (slot) => `${prefix}:${slot}`,
    scratch: `${prefix}:repeat:${randomUUID()}`,
    seconds: keptSlots * deployment.parameters.slotSeconds,
  };
}

async function write({ redis, keyOf, seconds }: Bitmaps, bits: readonly Bit[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const { slot, nodeId } of bits) pipeline.setbit(keyOf(slot), nodeId - 1, 1);
  for (const slot of new Set(bits.map((bit) => bit.slot))) pipeline.expire(keyOf(slot), seconds);
  const results = (await pipeline.exec()) ?? [];
  for (const [error] of results) if (error !== null) throw error;
}

/** Sets the bits of these nodes in one transaction, regardless of their number. */
async function merge(
  { redis, keyOf, scratch, seconds }: Bitmaps,
  slot: bigint,
  nodeIds: ReadonlySet<number>,
): Promise<void> {
  const replies = await redis
    .multi()
    .set(scratch, bitmapOf(nodeIds), "EX", seconds)
    .bitop("OR", keyOf(slot), keyOf(slot), scratch)
    .expire(keyOf(slot), seconds)
    .exec();
  for (const [error] of replies ?? []) if (error !== null) throw error;
}

/** The node ids in a bitmap of Redis, which counts bits from the highest of each byte. */
function nodeIdsIn(bytes: Buffer | null): Set<number> {
  const present = new Set<number>();
  for (const [position, byte] of (bytes ?? Buffer.alloc(0)).entries()) {
    for (let bit = 0; bit < 8; bit += 1) if ((byte << bit) & 0x80) present.add(position * 8 + bit + 1);
  }
  return present;
}

/** The bitmap of node ids as Redis stores it: bits count from the highest of each byte. */
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
