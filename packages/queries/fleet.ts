import type { NodeStatus } from "@ngpu/contracts-sdk/enumNames";
import type { Queryable } from "@ngpu/db/pool";
import { without } from "@ngpu/placement/filters";
import type { Capacity, FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { provenCapacity, provenHardware } from "@ngpu/placement/provenCapacity";
import { countPresence, uptimeSlots } from "@ngpu/protocol/presence";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Proofs } from "@ngpu/waves/proofs";
import { hardwareLimit } from "@ngpu/waves/provenHardware";
import { blocksOf, type WaveTerms } from "@ngpu/waves/schedule";
import { isGood } from "./measurements.ts";
import { newestSlots, readPresence } from "./presence.ts";

/**
 * The newest exported block.
 *
 * @throws RetryableError `export_not_started`.
 */
export async function readHead(db: Queryable): Promise<FleetBlock> {
  const { rows } = await db.query<FleetBlock>(
    `select h.number::bigint as number, h.hash, extract(epoch from b.time)::float8 as time
     from chain.head h join chain.block b on b.number = h.number where h.tier = 'unsafe'`,
  );
  if (rows[0] === undefined) {
    throw new RetryableError("No block has been exported yet.", {
      code: "export_not_started",
      hint: "Wait until autoExport has exported the first block.",
    });
  }
  return rows[0];
}

/** The exported block with a number; undefined when there is none. */
export async function readBlock(db: Queryable, number: bigint): Promise<FleetBlock | undefined> {
  const { rows } = await db.query<FleetBlock>(
    "select number::bigint as number, hash, extract(epoch from time)::float8 as time from chain.block where number = $1",
    [number],
  );
  return rows[0];
}

type NodeRow = Capacity & {
  node_id: number;
  status: NodeStatus;
  gpu_model: string | null;
  vram_mib: number;
  compute_capability: number;
  region: string | null;
  price: bigint;
  registered: bigint;
};
type HeldRow = Capacity & {
  node_id: number;
  workspace_id: bigint;
  image: string;
  has_image: boolean;
  assignedBlock: bigint;
};
type MeasuredRow = {
  node_id: number;
  down: number;
  up: number;
  latency: number;
  diskGib: number;
  ports: number;
  block: bigint;
};

/** SQL: the five resources of a replica or node. The column with the number of GPUs has a different name in each. */
export const resourceColumns = (gpus: string) =>
  `${gpus}::int as gpus, cpu_milli::int as "cpuMilli", memory_mib::int as "memoryMib", ` +
  `disk_gib::int as "diskGib", ports::int as ports`;

// $1 is the block number, $2 the node ids; null: all nodes.
const asOf = "valid_from <= $1::bigint and (valid_to is null or valid_to > $1::bigint)";
const ofNodes = "($2::int[] is null or node_id = any($2::int[]))";

/**
 * Reads nodes as of a block.
 *
 * @param nodeIds null: all nodes
 * @param known permille of uptime by node id, from `readUptimes`, and what waves proved by the block
 */
export async function readNodes(
  db: Queryable,
  block: FleetBlock,
  nodeIds: readonly number[] | null,
  known: { uptimes: ReadonlyMap<number, number>; proofs: Proofs },
): Promise<FleetNode[]> {
  const given = [block.number, nodeIds];
  const nodes = await db.query<NodeRow>(
    `select node_id::int, status, gpu_model, vram_mib::int, compute_capability::int, region,
       price_per_second::numeric as price, registered_block::bigint as registered,
       ${resourceColumns("gpu_count")}
     from chain.node_history where ${asOf} and ${ofNodes} order by node_id`,
    given,
  );
  const held = await db.query<HeldRow>(
    `select a.node_id::int, a.workspace_id::numeric, w.image, a.state in ('ready', 'running', 'stopped') as has_image,
       a.assigned_block::bigint as "assignedBlock", ${resourceColumns("gpus")}
     from (select * from chain.assignment_history where ${asOf} and ${ofNodes} and release_reason is null) a
     join chain.workspace w using (workspace_id) order by a.workspace_id, a.replica`,
    given,
  );
  const measured = await db.query<MeasuredRow>(
    `select distinct on (node_id) node_id::float8, down_mbps::float8 as down, up_mbps::float8 as up,
       latency_tenth_ms::float8 as latency, disk_free_gib::float8 as "diskGib", ports_reachable::float8 as ports,
       draw_block::bigint as block
     from chain.measurement_history as measured where ${asOf} and ${ofNodes}
       and ${isGood("measured")} and expires_at > $3
     order by node_id, round_id desc`,
    [...given, block.time],
  );
  return assemble(nodes.rows, held.rows, measured.rows, known);
}

function assemble(
  rows: NodeRow[],
  held: HeldRow[],
  measured: MeasuredRow[],
  { uptimes, proofs }: { uptimes: ReadonlyMap<number, number>; proofs: Proofs },
): FleetNode[] {
  const byNode = Map.groupBy(held, (row) => row.node_id);
  const measurements = new Map(measured.map((row) => [row.node_id, row]));
  return rows.map((row) => {
    const { gpus, cpuMilli, memoryMib, diskGib, ports } = row;
    const total = { gpus, cpuMilli, memoryMib, diskGib, ports };
    const own = byNode.get(row.node_id) ?? [];
    const measurement = measurements.get(row.node_id);
    const gpuModel = nullIfUnset(row.gpu_model);
    const declared = { gpus, gpuModel, vramMib: row.vram_mib };
    const { vramMib, ...proven } = provenHardware(
      { total, free: own.reduce(without, total), vramMib: row.vram_mib },
      hardwareLimit(proofs, row.node_id, row.registered, declared),
    );
    return {
      nodeId: row.node_id,
      status: row.status,
      gpuModel,
      vramMib,
      computeCapability: row.compute_capability,
      region: nullIfUnset(row.region),
      ...provenCapacity(proven, measurement, own),
      pricePerSecond: row.price,
      measured: measurement !== undefined,
      downMbps: measurement?.down ?? 0,
      upMbps: measurement?.up ?? 0,
      latencyTenthMs: measurement?.latency ?? null,
      uptimePermille: uptimes.get(row.node_id) ?? 0,
      images: new Set(own.filter((lease) => lease.has_image).map((lease) => lease.image)),
      workspaces: own.map((lease) => lease.workspace_id),
    };
  });
}

/** Null for an empty or all-zero value. */
export function nullIfUnset(value: string | null): string | null {
  return value === null || value === "" || /^0x0*$/.test(value) ? null : value;
}

/** Uptime of each node, permille: its share of present slots among the newest slots that count for it. */
export async function readUptimes(db: Queryable, block: FleetBlock): Promise<Map<number, number>> {
  const slots = await newestSlots(db, block.number, uptimeSlots);
  const presence = countPresence(await readPresence(db, block.number, slots));
  return new Map(
    Array.from(presence, ([nodeId, { presentSlots, totalSlots }]) => {
      return [nodeId, Math.floor((presentSlots * 1_000) / totalSlots)];
    }),
  );
}

/**
 * The changes between two blocks of one fork. Each node may change where a wave's reveals end.
 *
 * @returns the nodes that changed, and in `slots` whether heartbeat slots were committed, disputed or challenged
 */
export async function readChanges(
  db: Queryable,
  from: FleetBlock,
  to: FleetBlock,
  waves: WaveTerms,
): Promise<{ nodeIds: number[]; slots: boolean }> {
  const nodes = await db.query<{ node_id: number }>(
    `${["node", "assignment", "measurement"].map(nodesChanged).join(" union ")}
     union select node_id::int from chain.measurement where expires_at > $2 and expires_at <= $3
     union select node_id::int from chain.node where exists (
       select from chain.wave where fill_block > $1::bigint - $4 and fill_block <= $5::bigint - $4)`,
    [from.number, from.time, to.time, blocksOf(0, waves).revealed, to.number],
  );
  const slots = await db.query<{ changed: boolean }>(
    `select exists (select from chain.heartbeat_slot where block_number > $1)
       or exists (select from chain.event_heartbeats_disputed where block_number > $1)
       or exists (select from chain.event_presence_challenged where block_number > $1) as changed`,
    [from.number],
  );
  return { nodeIds: nodes.rows.map((row) => row.node_id), slots: slots.rows[0]?.changed ?? false };
}

/** SQL: ids of nodes with rows of a projection that changed after block $1. Both branches avoid a full scan. */
function nodesChanged(projection: string): string {
  return `select node_id::int from chain.${projection} where block_number > $1
     union select node_id::int from chain.${projection}_past where valid_to > $1`;
}
