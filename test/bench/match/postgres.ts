import { createPool, type Database } from "@ngpu/db/pool";
import type { FleetNode } from "@ngpu/placement/fleet";
import type { StrategyName } from "@ngpu/protocol/placement/strategies";
import type pg from "pg";
import { createLatency } from "./latency.ts";
import type { EngineResult } from "./market.ts";
import type { Asked } from "./requests.ts";

const table = `
drop table if exists bench_node;
create table bench_node (
  node_id integer primary key, status text not null, gpu_model text, vram_mib integer not null,
  capability integer not null, region text, gpus integer not null, cpu_milli integer not null, memory_mib integer not null,
  disk_gib integer not null, ports integer not null, total jsonb not null, price numeric(78,0) not null, measured boolean not null,
  down_mbps integer not null, up_mbps integer not null, latency integer, uptime integer not null, images text[] not null,
  used integer not null
) with (fillfactor = 70)`;

const indexes = [
  "create index on bench_node (measured desc, price) where status = 'online'",
  "create index on bench_node (gpu_model, measured desc, price) where status = 'online'",
  "create index on bench_node (region, measured desc, price) where status = 'online'",
  "create index on bench_node (measured desc, uptime desc, price) where status = 'online'",
  "create index on bench_node (measured desc, used, price) where status = 'online'",
  "create index on bench_node (measured desc, gpus, cpu_milli, price) where status = 'online'",
  "create index on bench_node using gin (images)",
];

const orders: Record<StrategyName, string> = {
  cheapest: "price",
  mostReliable: "uptime desc, price",
  leastUsed: "used, price",
  bestFit: "gpus, cpu_milli, price",
  locality: "price",
};

/** SQL: the used share of the most used resource after reserving $3 to $7, in millionths, as in the strategy leastUsed. */
const usedAfter = ["gpus", "cpu_milli", "memory_mib", "disk_gib", "ports"]
  .map((column, at) => `1000000 - 1000000.0 * (n.${column} - $${at + 3}) / nullif((n.total->>${at})::int, 0)`)
  .join(", ");

/** SQL of a placement: finds the best node that is not locked, locks it and reserves the capacity. */
function statement({ request, strategy }: Asked): string {
  const imageFirst = strategy === "locality" || request.imageAffinity === "prefer";
  const conditions = [
    "status = 'online'",
    "gpus >= $3",
    "cpu_milli >= $4",
    "memory_mib >= $5",
    "disk_gib >= $6",
    "ports >= $7",
    "price <= $2",
    "node_id <> all($1::int[])",
    "vram_mib >= $9",
    "capability >= $10",
    request.gpuModel === null ? "$11::text is null" : "gpu_model = $11",
    request.region === null ? "$12::text is null" : "region = $12",
    "down_mbps >= $13",
    "up_mbps >= $14",
    "uptime >= $15",
    request.maxLatencyTenthMs === null ? "$16::int is null" : "latency <= $16",
    request.imageAffinity === "require" ? "images @> array[$8]" : "$8::text is not null",
  ];
  return `with picked as (
    select node_id from bench_node where ${conditions.join(" and ")}
    order by measured desc, ${imageFirst ? "(images @> array[$8]) desc, " : ""}${orders[strategy]}
    limit 1 for update skip locked)
  update bench_node n set gpus = gpus - $3, cpu_milli = cpu_milli - $4, memory_mib = memory_mib - $5,
    disk_gib = disk_gib - $6, ports = ports - $7, used = greatest(${usedAfter})::int
  from picked where n.node_id = picked.node_id returning n.node_id`;
}

/** Places requests on a fleet in a real Postgres for `seconds`, each with one statement in one transaction. */
export async function runPostgres(
  url: string,
  states: { nodes: FleetNode[]; requested: Asked[] }[],
  seconds: number,
): Promise<EngineResult> {
  const pool = createPool({ url, name: "bench", max: 1 });
  const result: EngineResult = { latency: createLatency(), placed: 0, refused: 0 };
  try {
    for (const { nodes, requested } of states) {
      await load(pool, nodes);
      const end = performance.now() + (seconds * 1_000) / states.length;
      for (const one of requested) {
        if (performance.now() > end) break;
        await position(pool, one, result);
      }
    }
  } finally {
    await pool.end();
  }
  return result;
}

async function position(pool: Database, requested: Asked, result: EngineResult): Promise<void> {
  const { request } = requested;
  const { wanted } = request;
  const query: pg.QueryConfig = { text: statement(requested) };
  const own: number[] = [];
  for (let replica = 0; replica < requested.replicas; replica += 1) {
    const start = performance.now();
    const { rows } = await pool.query<{ node_id: number }>({
      ...query,
      values: [
        request.replicas === "spread" ? own : [],
        request.maxPricePerSecond,
        wanted.gpus,
        wanted.cpuMilli,
        wanted.memoryMib,
        wanted.diskGib,
        wanted.ports,
        request.image,
        request.minVramMib,
        request.minComputeCapability,
        request.gpuModel,
        request.region,
        request.minDownMbps,
        request.minUpMbps,
        request.minUptimePermille,
        request.maxLatencyTenthMs,
      ],
    });
    result.latency.add((performance.now() - start) * 1_000);
    const nodeId = rows[0]?.node_id;
    if (nodeId === undefined) result.refused += 1;
    else {
      result.placed += 1;
      own.push(nodeId);
    }
  }
}

async function load(pool: Database, nodes: readonly FleetNode[]): Promise<void> {
  await pool.query(table);
  for (let from = 0; from < nodes.length; from += 5_000) {
    const rows = nodes.slice(from, from + 5_000).map(rowOf);
    await pool.query("insert into bench_node select * from jsonb_populate_recordset(null::bench_node, $1)", [
      JSON.stringify(rows),
    ]);
  }
  for (const index of indexes) await pool.query(index);
  await pool.query("vacuum analyze bench_node");
}

function rowOf(node: FleetNode): Record<string, unknown> {
  const { free, total } = node;
  const used = [
    [free.gpus, total.gpus],
    [free.cpuMilli, total.cpuMilli],
    [free.memoryMib, total.memoryMib],
    [free.diskGib, total.diskGib],
    [free.ports, total.ports],
  ].map(([left = 0, all = 1]) => Math.round(((all - left) * 1_000_000) / all));
  return {
    node_id: node.nodeId,
    status: node.status,
    gpu_model: node.gpuModel,
    vram_mib: node.vramMib,
    capability: node.computeCapability,
    region: node.region,
    gpus: free.gpus,
    cpu_milli: free.cpuMilli,
    memory_mib: free.memoryMib,
    disk_gib: free.diskGib,
    ports: free.ports,
    total: [total.gpus, total.cpuMilli, total.memoryMib, total.diskGib, total.ports],
    price: node.pricePerSecond.toString(),
    measured: node.measured,
    down_mbps: node.downMbps,
    up_mbps: node.upMbps,
    latency: node.latencyTenthMs,
    uptime: node.uptimePermille,
    images: [...node.images],
    used: Math.max(...used),
  };
}
