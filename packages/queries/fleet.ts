import type { NodeStatus } from "@ngpu/contracts-sdk/enumNames";
import type { Queryable } from "@ngpu/db/pool";
import { without } from "@ngpu/placement/filters";
import type { Capacity, FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { counted } from "@ngpu/placement/provenCapacity";
import { countPresence } from "@ngpu/protocol/presence";
import { RetryableError } from "@ngpu/runtime/errors";
import { newestSlots, readPresence } from "./presence.ts";

/** So many of the newest heartbeat slots make a node's uptime. */
const uptimeSlots = 60;

/** The newest exported block. */
export async function readHead(db: Queryable): Promise<FleetBlock> {
  const { rows } = await db.query<FleetBlock>(
    `select h.number::bigint as number, h.hash, extract(epoch from b.time)::int as time
     from chain.head h join chain.block b on b.number = h.number where h.tier = 'unsafe'`,
  );
  if (rows[0] === undefined) {
    throw new RetryableError("No block has been exported yet.", { code: "export_not_started" });
  }
  return rows[0];
}

/** An exported block; undefined when there is none of that number. */
export async function readBlock(db: Queryable, number: bigint): Promise<FleetBlock | undefined> {
  const { rows } = await db.query<FleetBlock>(
    "select number::bigint as number, hash, extract(epoch from time)::int as time from chain.block where number = $1",
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

/** The five resources of a replica or node; the count of GPUs has a name of its own in either. */
export const resourceColumns = (gpus: string) =>
  `${gpus}::int as gpus, cpu_milli::int as "cpuMilli", memory_mib::int as "memoryMib", ` +
  `disk_gib::int as "diskGib", ports::int as ports`;

// $1 is the block, $2 the nodes, null for all.
const asOf = "valid_from <= $1::bigint and (valid_to is null or valid_to > $1::bigint)";
const ofNodes = "($2::int[] is null or node_id = any($2::int[]))";

/** The nodes, all or those named, as they were at a block. */
export async function readNodes(
  db: Queryable,
  block: FleetBlock,
  nodeIds: readonly number[] | null,
  uptimes: ReadonlyMap<number, number>,
): Promise<FleetNode[]> {
  const given = [block.number, nodeIds];
  const nodes = await db.query<NodeRow>(
    `select node_id::int, status, gpu_model, vram_mib::int, compute_capability::int, region,
       price_per_second::numeric as price, ${resourceColumns("gpu_count")}
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
    `select distinct on (node_id) node_id::int, down_mbps::int as down, up_mbps::int as up,
       latency_tenth_ms::int as latency, disk_free_gib::int as "diskGib", ports_reachable::int as ports,
       draw_block::bigint as block
     from chain.measurement_history where ${asOf} and ${ofNodes}
       and status = 'finalized' and not absent and expires_at > $3
     order by node_id, round_id desc`,
    [...given, block.time],
  );
  return assemble(nodes.rows, held.rows, measured.rows, uptimes);
}

function assemble(
  rows: NodeRow[],
  held: HeldRow[],
  measured: MeasuredRow[],
  uptimes: ReadonlyMap<number, number>,
): FleetNode[] {
  const byNode = Map.groupBy(held, (row) => row.node_id);
  const measurements = new Map(measured.map((row) => [row.node_id, row]));
  return rows.map((row) => {
    const { gpus, cpuMilli, memoryMib, diskGib, ports } = row;
    const total = { gpus, cpuMilli, memoryMib, diskGib, ports };
    const own = byNode.get(row.node_id) ?? [];
    const measurement = measurements.get(row.node_id);
    return {
      nodeId: row.node_id,
      status: row.status,
      gpuModel: nullIfUnset(row.gpu_model),
      vramMib: row.vram_mib,
      computeCapability: row.compute_capability,
      region: nullIfUnset(row.region),
      ...counted({ total, free: own.reduce(without, total) }, measurement, own),
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

/** Null for what is empty or all zeros. */
export function nullIfUnset(value: string | null): string | null {
  return value === null || value === "" || /^0x0*$/.test(value) ? null : value;
}

/** In how many of 1,000 of the newest slots each node was present, of those that the chain has a word of for it. */
export async function readUptimes(db: Queryable, block: FleetBlock): Promise<Map<number, number>> {
  const slots = await newestSlots(db, block.number, uptimeSlots);
  const presence = countPresence(await readPresence(db, block.number, slots));
  return new Map(
    Array.from(presence, ([nodeId, { presentSlots, totalSlots }]) => {
      return [nodeId, Math.floor((presentSlots * 1_000) / totalSlots)];
    }),
  );
}

/** What changed between two blocks of one chain: the nodes, and whether heartbeats were counted or corrected. */
export async function readChanges(
  db: Queryable,
  from: FleetBlock,
  to: FleetBlock,
): Promise<{ nodeIds: number[]; slots: boolean }> {
  const nodes = await db.query<{ node_id: number }>(
    `${["node", "assignment", "measurement"].map(nodesChanged).join(" union ")}
     union select node_id::int from chain.measurement where expires_at > $2 and expires_at <= $3`,
    [from.number, from.time, to.time],
  );
  const slots = await db.query<{ changed: boolean }>(
    `select exists (select from chain.heartbeat_slot where block_number > $1)
       or exists (select from chain.event_heartbeat_disputed where block_number > $1)
       or exists (select from chain.event_presence_challenged where block_number > $1) as changed`,
    [from.number],
  );
  return { nodeIds: nodes.rows.map((row) => row.node_id), slots: slots.rows[0]?.changed ?? false };
}

/** Those that a projection's rows changed of after block $1, as they are and as they were: both are found without reading all. */
function nodesChanged(projection: string): string {
  return `select node_id::int from chain.${projection} where block_number > $1
     union select node_id::int from chain.${projection}_past where valid_to > $1`;
}
