import type { Database } from "@ngpu/db/pool";
import { countPresence } from "@ngpu/protocol/presence";
import { isSetAside } from "@ngpu/queries/measurements";
import { readPresence } from "@ngpu/queries/presence";
import type { EpochWindow } from "./decide.ts";
import type { NodeFacts } from "./score.ts";

export type BlockRef = { block: bigint; hash: string };

/** Unix time of the newest safe block, or null before there is one. */
export async function safeTime(database: Database): Promise<number | null> {
  const { rows } = await database.query<{ time: number }>(
    `select extract(epoch from block.time)::float8 as time
       from chain.head join chain.block using (number) where head.tier = 'safe'`,
  );
  return rows[0]?.time ?? null;
}

/** Unix time of the first block exported, or null before there is one. */
export async function firstBlockTime(database: Database): Promise<number | null> {
  const { rows } = await database.query<{ time: number | null }>(
    "select extract(epoch from min(time))::float8 as time from chain.block",
  );
  return rows[0]?.time ?? null;
}

/** The last block before `time` (Unix seconds). */
export async function lastBlockBefore(database: Database, time: number): Promise<BlockRef | null> {
  const { rows } = await database.query<{ number: bigint; hash: string }>(
    "select number, hash from chain.block where time < to_timestamp($1) order by number desc limit 1",
    [time],
  );
  const found = rows[0];
  return found === undefined ? null : { block: found.number, hash: found.hash };
}

type NodeRow = {
  node_id: number;
  account: string;
  gpu_count: number;
  vram_mib: number;
  cpu_milli: number;
  memory_mib: number;
  ports_reachable: number | null;
};

// State as of block $1. A measurement counts if it expires after the start of the epoch ($2, Unix seconds)
// and no value is above its bound.
const nodesAsOf = `
  select node.node_id, coalesce(node.wallet, node.key) as account, node.gpu_count, node.vram_mib, node.cpu_milli,
         node.memory_mib, measured.ports_reachable
    from chain.node_history node
    left join lateral (
      select m.ports_reachable
        from chain.measurement_history m
       where m.node_id = node.node_id and m.status = 'finalized' and not (${isSetAside("m")}) and m.expires_at > $2
         and m.valid_from <= $1 and (m.valid_to is null or m.valid_to > $1)
       order by m.round_id desc limit 1) measured on true
   where node.valid_from <= $1 and (node.valid_to is null or node.valid_to > $1)
   order by node.node_id`;

/** Chain data of every node for an epoch, as of a block. */
export async function nodeFacts(
  database: Database,
  window: EpochWindow,
  asOf: BlockRef,
  slotSeconds: number,
): Promise<NodeFacts[]> {
  const nodes = await database.query<NodeRow>(nodesAsOf, [asOf.block, window.startsAt]);
  const presence = countPresence(
    await readPresence(database, asOf.block, {
      firstSlot: Math.ceil(window.startsAt / slotSeconds),
      endSlot: Math.ceil(window.endsAt / slotSeconds),
    }),
  );
  return nodes.rows.map((row) => ({
    nodeId: Number(row.node_id),
    account: row.account,
    gpus: Number(row.gpu_count),
    vramMib: Number(row.vram_mib),
    cpuMilli: Number(row.cpu_milli),
    memoryMib: Number(row.memory_mib),
    slotsPresent: presence.get(Number(row.node_id))?.presentSlots ?? 0,
    portsReachable: row.ports_reachable === null ? null : Number(row.ports_reachable),
  }));
}
