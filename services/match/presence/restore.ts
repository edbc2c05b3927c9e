import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { heartbeatWindowSlots } from "@ngpu/contracts-sdk/heartbeatWindow";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import { decodeHeartbeats, type HeartbeatBits, isReadable } from "@ngpu/protocol/heartbeatBits";
import { nodesOfWord, wordIndexOf } from "@ngpu/protocol/heartbeatWords";
import { type ProvenWords, wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import { FatalError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Hex } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import { slotAt } from "./acknowledgeHeartbeats.ts";
import { readAcks, type SlotAck } from "./ackStore.ts";
import { ackDelayMs, maxSlotAge } from "./slotTimes.ts";

/** Interval of comparing committed slots with acknowledgements, ms. */
const lookMs = 1_000;
/** Time after which a slot is compared again after a dispute, ms: it must be exported first. */
const retryAfterMs = 30_000;

export type RestoreOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  databaseUrl: string;
  /** Any account: anyone may dispute. */
  sender: Sender;
  metrics: MatchMetrics;
};

/**
 * Compares each slot on the chain with the signed acknowledgements, and disputes what it leaves out, on the instance that leads:
 * one transaction restores the slot. A slot that no committer committed is restored in the same way.
 */
export function startRestore(options: RestoreOptions): void {
  const { context, databaseUrl, deployment } = options;
  const { logger, signal } = context;
  const lead = async (leading: AbortSignal) => {
    const checked = new Map<bigint, string>();
    const tried = new Map<bigint, number>();
    const loop = startLoop({ name: "restore", logger, signal: leading, interval: lookMs }, async () => {
      const now = slotAt(Date.now(), deployment);
      // The window closes with the block, which may be later.
      const from = now - BigInt(heartbeatWindowSlots(deployment.parameters)) + 2n;
      for (const slot of checked.keys()) if (slot < from) checked.delete(slot);
      for (const [slot, at] of tried) if (performance.now() - at > retryAfterMs) tried.delete(slot);
      for (const { slot, state } of await dueSlots(options, from, now)) {
        if (checked.get(slot) === state || tried.has(slot)) continue;
        if (await restoreSlot(options, slot)) tried.set(slot, performance.now());
        else checked.set(slot, state);
      }
    });
    await loop.done;
  };
  void holdLeadership({ url: databaseUrl, leadership: "restore", logger, signal, lead });
}

/**
 * Slots with acknowledgements that are committed, or too old to be committed. The state of a slot changes with what was
 * compared: with its acknowledgements and the accounts that may sign them, and with its commit and disputes, which a reorg
 * may replace.
 */
async function dueSlots(
  { pool, deployment }: RestoreOptions,
  from: bigint,
  now: bigint,
): Promise<{ slot: bigint; state: string }[]> {
  const { rows } = await pool.query<{ slot: bigint; committed: boolean; state: string }>(
    `with signers as (select string_agg(account || allowed, ' ' order by block_number, log_index) as known
       from chain.event_heartbeat_acknowledger_set)
     select r.slot::numeric as slot, h.slot is not null as committed,
       concat_ws(' ', md5(signers.known), r.signatures, h.node_count, md5(h.bits), d.disputes) as state
     from signers, (select slot, string_agg(signature, ' ' order by instance) as signatures
       from app.heartbeat_ack where slot >= $1 group by slot) as r
     left join chain.heartbeat_slot as h on h.slot = r.slot
     left join lateral (select string_agg(block_hash, ' ' order by block_number, log_index) as disputes
       from chain.event_heartbeats_disputed where slot = r.slot) as d on true
     order by r.slot`,
    [from],
  );
  return rows
    .filter(({ slot, committed }) => committed || slot < now - maxSlotAge - 1n)
    .filter(({ slot }) => Date.now() >= ackDelayMs(slot, deployment))
    .map(({ slot, state }) => ({ slot, state }));
}

/** Disputes what a slot leaves out. False: nothing is missing, or nothing can be done. */
async function restoreSlot(options: RestoreOptions, slot: bigint): Promise<boolean> {
  const { pool, deployment, sender, context, metrics } = options;
  const acks = await readAcks(pool, deployment, slot);
  const present = await presentOnChain(pool, slot);
  const disputes = acks.flatMap((ack) => {
    const proven = missingWords(ack, present);
    return proven === undefined ? [] : [{ slot, ...proven, signature: ack.signature }];
  });
  if (disputes.length === 0) return false;
  try {
    const { hash } = await sender.send({
      kind: "heartbeats.restore",
      contract: "ComputeNode",
      functionName: "disputeHeartbeats",
      args: [disputes],
    });
    metrics.slotsRestored.inc();
    context.logger.warn({ event: "slot_restored", slot, acks: disputes.length, hash });
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "transaction_reverted") throw error;
    context.logger.error({ event: "slot_not_restored", slot, error });
  }
  return true;
}

/** The words of an acknowledgement with a node that the chain leaves out, with their proof. Adds their nodes to `present`. */
export function missingWords(
  { words }: Pick<SlotAck, "words">,
  present: Set<number>,
): ProvenWords | undefined {
  const missing = words.flatMap(nodesOfWord).filter((nodeId) => !present.has(nodeId));
  if (missing.length === 0) return undefined;
  for (const nodeId of missing) present.add(nodeId);
  return wordTreeOf(words).prove(missing.map(wordIndexOf));
}

/** The nodes that a slot counts as present, by its commit or by disputes. */
async function presentOnChain(pool: Database, slot: bigint): Promise<Set<number>> {
  const { rows } = await pool.query<HeartbeatBits>(
    `select encoding, node_count::int as "nodeCount", bits from chain.heartbeat_slot where slot = $1`,
    [slot],
  );
  const present =
    rows[0] !== undefined && isReadable(rows[0]) ? decodeHeartbeats(rows[0]) : new Set<number>();
  const { rows: disputed } = await pool.query<{ index: number; bits: Hex }>(
    `select word::int as index, bits from chain.event_heartbeats_disputed where slot = $1`,
    [slot],
  );
  for (const word of disputed) for (const nodeId of nodesOfWord(word)) present.add(nodeId);
  return present;
}
