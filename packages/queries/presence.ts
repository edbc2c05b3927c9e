import type { Queryable } from "@ngpu/db/pool";
import type { HeartbeatBits } from "@ngpu/protocol/heartbeatBits";
import type { PresenceFacts } from "@ngpu/protocol/presence";
import type { Hex } from "viem";

type Slots = { firstSlot: number; endSlot: number };

/**
 * Commits, disputes and challenges of heartbeat slots as of a block.
 *
 * @param slots from `firstSlot` to before `endSlot`
 * @param nodeId limits disputes and challenges to one node; null: all nodes
 */
export async function readPresence(
  db: Queryable,
  asOf: bigint,
  { firstSlot, endSlot }: Slots,
  nodeId: number | null = null,
): Promise<PresenceFacts> {
  const within = [asOf, firstSlot, endSlot];
  const { rows: slots } = await db.query<{
    slot: number;
    encoding: HeartbeatBits["encoding"];
    nodeCount: number;
    bits: Hex;
  }>(
    `select slot::float8, encoding, node_count::float8 as "nodeCount", bits from chain.heartbeat_slot_history
      where slot >= $2 and slot < $3 and valid_from <= $1 and (valid_to is null or valid_to > $1) order by slot`,
    within,
  );
  const { rows: disputes } = await db.query<PresenceFacts["disputes"][number]>(
    `select slot::float8, node_id::float8 as "nodeId" from chain.heartbeat_dispute
      where block_number <= $1 and slot >= $2 and slot < $3 and ($4::bigint is null or node_id = $4)`,
    [...within, nodeId],
  );
  const { rows: challenges } = await db.query<PresenceFacts["challenges"][number]>(
    `select node_id::float8 as "nodeId", first_slot::float8 as "firstSlot", last_slot::float8 as "lastSlot"
       from chain.event_presence_challenged
      where block_number <= $1 and last_slot >= $2 and first_slot < $3 and ($4::bigint is null or node_id = $4)`,
    [...within, nodeId],
  );
  return { firstSlot, endSlot, slots, disputes, challenges };
}

/** The range of the newest `count` slots committed as of a block; empty when there is none. */
export async function newestSlots(db: Queryable, asOf: bigint, count: number): Promise<Slots> {
  const { rows } = await db.query<{ first: number | null; last: number | null }>(
    `select min(slot)::float8 as first, max(slot)::float8 as last from (
       select slot from chain.heartbeat_slot_history
        where valid_from <= $1 and (valid_to is null or valid_to > $1) order by slot desc limit $2) as newest`,
    [asOf, count],
  );
  const { first, last } = rows[0] ?? { first: null, last: null };
  return first === null || last === null
    ? { firstSlot: 0, endSlot: 0 }
    : { firstSlot: first, endSlot: last + 1 };
}
