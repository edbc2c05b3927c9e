import type { Database } from "@ngpu/db/pool";
import { isSetAside } from "@ngpu/queries/measurements";
import type { NodeHistory } from "@ngpu/rewards/eligible";
import type { EpochWindow } from "@ngpu/rewards/epochs";
import type { Proofs } from "@ngpu/waves/proofs";
import type { BlockRef } from "../store.ts";

type AccountRow = {
  node_id: number;
  account: string;
  registered: string;
  ports_reachable: number | null;
};

// State as of block $1. A measurement counts if it expires after the start of the epoch ($2, Unix seconds)
// and no value is above its bound.
const accountsAsOf = `
  select node.node_id, coalesce(node.wallet, node.key) as account, node.registered_block::text as registered,
         measured.ports_reachable
    from chain.node_history node
    left join lateral (
      select m.ports_reachable
        from chain.measurement_history m
       where m.node_id = node.node_id and m.status = 'finalized' and not (${isSetAside("m")}) and m.expires_at > $2
         and m.valid_from <= $1 and (m.valid_to is null or m.valid_to > $1)
       order by m.round_id desc limit 1) measured on true
   where node.valid_from <= $1 and (node.valid_to is null or node.valid_to > $1)
   order by node.node_id`;

type VersionRow = {
  node_id: number;
  status: string;
  price_per_second: bigint;
  gpu_model: string;
  gpu_count: number;
  vram_mib: number;
  cpu_milli: number;
  since: number;
  until: number | null;
};

// The states of nodes within the slots from $2 to $3 (Unix seconds), as of block $1.
const versionsWithin = `
  select node.node_id, node.status, node.price_per_second, node.gpu_model, node.gpu_count, node.vram_mib, node.cpu_milli,
         coalesce(extract(epoch from began.time), 0)::float8 as since, extract(epoch from ended.time)::float8 as until
    from chain.node_history node
    left join chain.block began on began.number = node.valid_from
    left join chain.block ended on ended.number = node.valid_to and node.valid_to <= $1
   where node.valid_from <= $1 and (began.time is null or began.time < to_timestamp($3))
     and (ended.time is null or ended.time > to_timestamp($2))
   order by node.node_id, node.valid_from`;

/** Every node with its account, measurement and states of an epoch, as of a block. */
export async function nodeHistories(
  database: Database,
  window: EpochWindow,
  asOf: BlockRef,
  { proofs, ...slots }: { from: number; to: number; proofs: Proofs },
): Promise<NodeHistory[]> {
  const accounts = await database.query<AccountRow>(accountsAsOf, [asOf.block, window.startsAt]);
  const versions = await database.query<VersionRow>(versionsWithin, [asOf.block, slots.from, slots.to]);
  const byNode = new Map<number, NodeHistory["versions"]>();
  for (const row of versions.rows) {
    const nodeId = Number(row.node_id);
    const known = byNode.get(nodeId) ?? [];
    known.push({
      from: row.since,
      to: row.until,
      online: row.status === "online",
      pricePerSecond: BigInt(row.price_per_second),
      gpus: Number(row.gpu_count),
      gpuModel: row.gpu_model,
      vramMib: Number(row.vram_mib),
      cpuMilli: Number(row.cpu_milli),
    });
    byNode.set(nodeId, known);
  }
  return accounts.rows.map(({ node_id, account, registered, ports_reachable }) => ({
    nodeId: Number(node_id),
    account,
    reached: ports_reachable !== null && Number(ports_reachable) > 0,
    proof: {
      judged: proofs.isJudged(BigInt(registered)),
      devices: proofs.devicesOf(Number(node_id)),
    },
    versions: byNode.get(Number(node_id)) ?? [],
  }));
}
