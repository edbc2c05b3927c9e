import type { Hex } from "viem";
import { type Database, transaction } from "../shared/db/pool.ts";
import { toJson } from "../shared/json.ts";
import { countPresence } from "../shared/presence/count.ts";
import { readPresence } from "../shared/presence/store.ts";
import type { NodeBond } from "./bond/decide.ts";
import type { EpochWindow } from "./decide.ts";
import type { EpochDocument } from "./document.ts";
import type { NodeFacts } from "./score.ts";
import type { ProvenLeaf } from "./tree.ts";

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

export type Closed = {
  /** 0 for none. */
  number: number;
  granted: ReadonlyMap<string, bigint>;
  bonds: ReadonlyMap<number, NodeBond>;
  /** The last day whose uptime was counted for bonds; null for none. */
  throughDay: number | null;
};

/** The last epoch closed here, what was granted up to it, and every node's bond after it. */
export async function lastClosed(database: Database): Promise<Closed> {
  const { rows } = await database.query<{ number: bigint; through_day: number | null }>(
    `select number, (document->'bond'->>'throughDay')::float8 as through_day from app.epoch
      order by number desc limit 1`,
  );
  const last = rows[0];
  if (last === undefined) return { number: 0, granted: new Map(), bonds: new Map(), throughDay: null };
  const leaves = await database.query<{ account: string; cumulative: bigint }>(
    "select account, cumulative from app.epoch_leaf where number = $1",
    [last.number],
  );
  const bonds = await database.query<NodeBond>(
    `select distinct on (node_id) node_id::float8 as "nodeId", account, withheld, days,
            served_in::float8 as "servedIn"
       from app.node_bond order by node_id, number desc`,
  );
  return {
    number: Number(last.number),
    granted: new Map(leaves.rows.map((leaf) => [leaf.account, leaf.cumulative])),
    bonds: new Map(bonds.rows.map((bond) => [bond.nodeId, bond])),
    throughDay: last.through_day,
  };
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

// State as of block $1; a measurement counts while it had not expired at the start of the epoch ($2, Unix seconds).
const nodesAsOf = `
  select node.node_id, coalesce(node.wallet, node.key) as account, node.gpu_count, node.vram_mib, node.cpu_milli,
         node.memory_mib, measured.ports_reachable
    from chain.node_history node
    left join lateral (
      select m.ports_reachable
        from chain.measurement_history m
       where m.node_id = node.node_id and m.status = 'finalized' and m.expires_at > $2
         and m.valid_from <= $1 and (m.valid_to is null or m.valid_to > $1)
       order by m.round_id desc limit 1) measured on true
   where node.valid_from <= $1 and (node.valid_to is null or node.valid_to > $1)
   order by node.node_id`;

/** What the chain says of every node over an epoch, as of a block. */
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

/** Stores a closed epoch with its leaves, before its root is posted. Safe to run twice. */
export async function saveEpoch(
  database: Database,
  epoch: { document: EpochDocument; dataHash: Hex; root: Hex | null; total: bigint; leaves: ProvenLeaf[] },
): Promise<void> {
  await transaction(database, async (connection) => {
    const { number } = epoch.document;
    const inserted = await connection.query(
      `insert into app.epoch (number, root, total, data_hash, document) values ($1, $2, $3, $4, $5)
       on conflict (number) do nothing`,
      [number, epoch.root, epoch.total, epoch.dataHash, toJson(epoch.document)],
    );
    if (inserted.rowCount === 0) return;
    for (const leaf of epoch.leaves) {
      await connection.query(
        "insert into app.epoch_leaf (number, account, cumulative, proof) values ($1, $2, $3, $4)",
        [number, leaf.account, leaf.cumulative, JSON.stringify(leaf.proof)],
      );
    }
    const { bonds } = epoch.document;
    await connection.query(
      `insert into app.node_bond (number, node_id, account, withheld, days, served_in)
       select $1, * from unnest($2::bigint[], $3::text[], $4::numeric[], $5::integer[], $6::bigint[])`,
      [
        ...[number, bonds.map((bond) => bond.nodeId), bonds.map((bond) => bond.account)],
        ...[bonds.map((bond) => bond.withheld), bonds.map((bond) => bond.days)],
        bonds.map((bond) => bond.servedIn),
      ],
    );
  });
}

export type EpochToPost = { number: bigint; root: Hex; total: bigint; dataHash: Hex };

/** The newest closed epoch whose total is above everything on the chain, if there is one. */
export async function epochToPost(database: Database): Promise<EpochToPost | null> {
  const { rows } = await database.query<{ number: bigint; root: Hex; total: bigint; data_hash: Hex }>(
    `select number, root, total, data_hash from app.epoch
      where root is not null
        and number > coalesce((select max(number) from chain.epoch), 0)
        and total > coalesce((select max(total) from chain.epoch where not disabled), 0)
      order by number desc limit 1`,
  );
  const found = rows[0];
  return found === undefined
    ? null
    : { number: found.number, root: found.root, total: found.total, dataHash: found.data_hash };
}
