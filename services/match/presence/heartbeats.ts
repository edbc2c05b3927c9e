import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { heartbeatWindowSlots } from "@ngpu/contracts-sdk/heartbeatWindow";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import { encodeHeartbeats, type HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import { needsCosignature } from "@ngpu/protocol/heartbeatCosign";
import { FatalError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { Sender } from "@ngpu/tx-sender/send";
import type { MatchMetrics } from "../metrics.ts";
import { slotAt } from "./acknowledgeHeartbeats.ts";
import { forgetAcks } from "./ackStore.ts";
import { type CosignedSlot, proposeSlot, readCosigned } from "./cosignStore.ts";
import type { Presence } from "./presence.ts";
import { createReadings } from "./presenceReadings.ts";
import type { AckPublisher } from "./publishAcks.ts";
import { lateMs, maxSlotAge } from "./slotTimes.ts";

export type HeartbeatOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  deployment: Deployment;
  /** The committer's; undefined: another instance commits. */
  sender: Sender | undefined;
  presence: Presence;
  /** Undefined: this instance serves no nodes. */
  acks?: AckPublisher | undefined;
  metrics: MatchMetrics;
};

/**
 * Restores the shared bits after a loss of Redis, and publishes what this instance heard in each slot that has ended. The
 * leader also commits each slot that has ended, once.
 */
export function startHeartbeats(options: HeartbeatOptions): void {
  const { context, presence, deployment, pool, databaseUrl, sender, acks } = options;
  const { logger, signal } = context;
  const slotMs = deployment.parameters.slotSeconds * 1_000;
  const startedAt = Date.now();
  const interval = Math.min(1_000, slotMs / 8);
  startLoop({ name: "presence", logger, signal, interval }, async () => {
    const now = slotAt(Date.now(), deployment);
    // Before anything is forgotten.
    if (acks !== undefined) await publishEnded(options, acks, startedAt);
    const committed = await committedSlots(pool, now - maxSlotAge);
    for (const slot of presence.slots()) {
      if (committed.has(slot) || slot < now - maxSlotAge) presence.forget(slot);
      else if (slot < now) await presence.repeat(slot);
    }
  });
  if (sender === undefined) return;
  const lead = async (leading: AbortSignal) => {
    const done = new Set<bigint>();
    // Every instance repeats its own bits between the first reading and the last.
    const readings = createReadings(presence, 2 * interval);
    const loop = startLoop({ name: "heartbeats", logger, signal: leading, interval }, async () => {
      const now = Date.now();
      const ended = slotAt(now, deployment) - 1n;
      const closed = slotAt(now - lateMs(deployment), deployment) - 1n;
      const committed = await committedSlots(pool, ended - maxSlotAge);
      const open = new Set<bigint>();
      for (let slot = ended - maxSlotAge; slot <= ended; slot += 1n) {
        if (done.has(slot) || committed.has(slot)) continue;
        open.add(slot);
        const present = await readings.take(slot, now);
        if (slot > closed || present === undefined) continue;
        const bits = await bitsOf(options, slot, present, startedAt);
        if (bits === undefined || (await commitSlot({ ...options, sender }, slot, bits))) done.add(slot);
      }
      readings.retain(open);
      await forgetAcks(pool, ended - BigInt(heartbeatWindowSlots(deployment.parameters)));
    });
    await loop.done;
  };
  void holdLeadership({ url: databaseUrl, leadership: "heartbeats", logger, signal, lead });
}

/** Publishes acknowledgements of the slots that ended while this instance was running. */
async function publishEnded(
  { presence, deployment }: HeartbeatOptions,
  acks: AckPublisher,
  startedAt: number,
): Promise<void> {
  const closed = slotAt(Date.now() - lateMs(deployment), deployment) - 1n;
  const own = new Set(presence.slots());
  for (let slot = closed - maxSlotAge; slot <= closed; slot += 1n) {
    if (own.has(slot) || slot >= slotAt(startedAt, deployment)) {
      await acks.publish(slot, presence.seen(slot));
    }
  }
  acks.forget(closed - maxSlotAge);
}

/**
 * Commits a slot, with a cosigner's signature if it leaves out many nodes; the cosigner adds those that it knows of.
 * False: it must be tried again.
 */
async function commitSlot(
  options: HeartbeatOptions & { sender: Sender },
  slot: bigint,
  bits: HeartbeatBits,
): Promise<boolean> {
  const { pool, deployment } = options;
  const { rows } = await pool.query<{ count: number | null }>(
    "select max(node_id)::int as count from chain.node",
  );
  if (!needsCosignature(bits, rows[0]?.count ?? 0, deployment.parameters.absenceBasisPoints)) {
    return commit(options, slot, bits);
  }
  const cosigned = await readCosigned(pool, slot);
  if (cosigned !== undefined) return commit(options, slot, cosigned);
  await proposeSlot(pool, slot, bits);
  return false;
}

async function committedSlots(pool: Database, from: bigint): Promise<Set<bigint>> {
  const { rows } = await pool.query<{ slot: bigint }>(
    "select slot::numeric as slot from chain.heartbeat_slot where slot >= $1",
    [from],
  );
  return new Set(rows.map((row) => row.slot));
}

/** The bits to commit for a slot; undefined when the presence of nodes in it is unknown. */
async function bitsOf(
  { pool, deployment }: HeartbeatOptions,
  slot: bigint,
  present: ReadonlySet<number>,
  startedAt: number,
): Promise<HeartbeatBits | undefined> {
  const begin = slot * BigInt(deployment.parameters.slotSeconds);
  // An empty slot counts against nodes only if this instance was running when it began.
  if (present.size === 0 && BigInt(startedAt) > begin * 1_000n) return undefined;
  const { rows } = await pool.query<{ count: number | null }>(
    `select max(n.node_id)::int as count from chain.node n
     join chain.block b on b.number = n.registered_block where b.time <= to_timestamp($1::bigint)`,
    [begin],
  );
  let nodeCount = rows[0]?.count ?? 0;
  for (const nodeId of present) nodeCount = Math.max(nodeCount, nodeId);
  return nodeCount === 0 ? undefined : encodeHeartbeats(nodeCount, present);
}

/** Commits a slot. False: it must be tried again. */
async function commit(
  { sender, context, metrics, pool }: HeartbeatOptions & { sender: Sender },
  slot: bigint,
  bits: HeartbeatBits | CosignedSlot,
): Promise<boolean> {
  const args = [slot, codeOf(heartbeatEncodings, bits.encoding), bits.nodeCount, bits.bits] as const;
  const call =
    "signature" in bits
      ? ({ functionName: "commitCosignedHeartbeats", args: [...args, bits.signature] } as const)
      : ({ functionName: "commitHeartbeats", args } as const);
  try {
    const { hash } = await sender.send({
      kind: "heartbeats",
      contract: "ComputeNode",
      ...call,
      dedupeKey: `heartbeats:${slot}${"signature" in bits ? ":cosigned" : ""}`,
    });
    metrics.slots.inc();
    context.logger.info({ event: "heartbeats_posted", slot, encoding: bits.encoding, hash });
    return true;
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "transaction_reverted") throw error;
    if (error.details.error === "HeartbeatSlotCommitted") return true;
    // More nodes have registered meanwhile.
    if (error.details.error === "HeartbeatsUncosigned") await proposeSlot(pool, slot, bits);
    // The newest block may be behind, so the slot has not ended on the chain. A slot that is too old reverts until it
    // exceeds maxSlotAge.
    context.logger.debug({ event: "heartbeats_refused", slot, error });
    return false;
  }
}
