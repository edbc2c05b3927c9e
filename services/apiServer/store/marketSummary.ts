import type { Queryable } from "@ngpu/db/pool";
import type { Tier } from "./escrow.ts";

type TotalsRow = {
  total: number;
  online: number;
  maintenance: number;
  offline: number;
  connected: number;
  measured: number;
  gpus: number;
  free_gpus: number;
  cpu_milli: number;
  free_cpu_milli: number;
  memory_mib: number;
  free_memory_mib: number;
};

/** What each node has reserved. */
const withUsed = `with used as (
    select assignment.node_id, sum(workspace.gpus) as gpus, sum(workspace.cpu_milli) as cpu_milli,
      sum(workspace.memory_mib) as memory_mib
    from chain.assignment join chain.workspace as workspace using (workspace_id)
    where assignment.release_reason is null group by assignment.node_id)`;

export async function readTotals(db: Queryable): Promise<TotalsRow> {
  const { rows } = await db.query<TotalsRow>(
    `${withUsed}
     select count(*)::float8 as total, count(*) filter (where status = 'online')::float8 as online,
       count(*) filter (where status = 'maintenance')::float8 as maintenance,
       count(*) filter (where status not in ('online', 'maintenance'))::float8 as offline,
       (select count(distinct node_id) from app.tunnel where seen_at > now() - interval '1 minute')::float8 as connected,
       (select count(distinct node_id) from chain.measurement where status = 'finalized'
          and expires_at > extract(epoch from now()))::float8 as measured,
       coalesce(sum(node.gpu_count), 0)::float8 as gpus,
       coalesce(sum(node.gpu_count - coalesce(used.gpus, 0)) filter (where status = 'online'), 0)::float8 as free_gpus,
       coalesce(sum(node.cpu_milli), 0)::float8 as cpu_milli,
       coalesce(sum(node.cpu_milli - coalesce(used.cpu_milli, 0)) filter (where status = 'online'), 0)::float8 as free_cpu_milli,
       coalesce(sum(node.memory_mib), 0)::float8 as memory_mib,
       coalesce(sum(node.memory_mib - coalesce(used.memory_mib, 0)) filter (where status = 'online'), 0)::float8
         as free_memory_mib
     from chain.node as node left join used using (node_id)`,
  );
  return rows[0] as TotalsRow;
}

export type ModelRow = {
  name: string | null;
  vram_mib: number;
  nodes: number;
  online: number;
  gpus: number;
  free_gpus: number;
  lowest_price: bigint | null;
  median_price: bigint | null;
};

/** Nodes by GPU. Nodes choose the names, so their length and number are bounded. */
export async function listModels(db: Queryable): Promise<ModelRow[]> {
  const { rows } = await db.query<ModelRow>(
    `${withUsed}
     select case when gpu_count = 0 then null else left(gpu_name, 120) end as name,
       min(node.vram_mib)::float8 as vram_mib, count(*)::float8 as nodes,
       count(*) filter (where status = 'online')::float8 as online, sum(node.gpu_count)::float8 as gpus,
       coalesce(sum(node.gpu_count - coalesce(used.gpus, 0)) filter (where status = 'online'), 0)::float8 as free_gpus,
       min(price_per_second) filter (where status = 'online') as lowest_price,
       percentile_disc(0.5) within group (order by price_per_second) filter (where status = 'online') as median_price
     from chain.node as node left join used using (node_id)
     group by 1 order by count(*) desc, 1 nulls last limit 100`,
  );
  return rows;
}

export type RegionRow = { region: string | null; nodes: number; online: number };

export async function listRegions(db: Queryable): Promise<RegionRow[]> {
  const { rows } = await db.query<RegionRow>(
    `select region, count(*)::float8 as nodes, count(*) filter (where status = 'online')::float8 as online
     from chain.node group by region order by count(*) desc, region nulls last limit 250`,
  );
  return rows;
}

export type WorkspaceTotals = { open: number; replicas: number; running: number };

export async function readWorkspaceTotals(db: Queryable): Promise<WorkspaceTotals> {
  const { rows } = await db.query<WorkspaceTotals>(
    `select (select count(*) from chain.workspace where status = 'open')::float8 as open,
       count(*)::float8 as replicas, count(*) filter (where state = 'running')::float8 as running
     from chain.assignment where release_reason is null`,
  );
  return rows[0] as WorkspaceTotals;
}

export type HeadRow = { tier: Tier; block: string; time: Date };

export async function listHeads(db: Queryable): Promise<HeadRow[]> {
  const { rows } = await db.query<HeadRow>(
    `select head.tier, head.number::text as block, block.time
     from chain.head join chain.block using (number) order by head.number desc, head.tier desc`,
  );
  return rows;
}

/** Total of the newest epoch that is posted and not disabled. */
export async function newestTotal(db: Queryable): Promise<bigint> {
  const { rows } = await db.query<{ total: bigint }>(
    "select total from chain.epoch where not disabled order by generation desc, number desc limit 1",
  );
  return rows[0]?.total ?? 0n;
}
