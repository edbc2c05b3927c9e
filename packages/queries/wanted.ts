import type { Queryable } from "@ngpu/db/pool";
import type { Capacity, FleetBlock, PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf } from "@ngpu/placement/preferences";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import { nullIfUnset, resourceColumns } from "./fleet.ts";

/** A workspace's placement request, from its spec and its placement preferences. */
export type Wanted = {
  request: Omit<PlacementRequest, "position">;
  preferences: PlacementPreferences;
  /** What limits the price below the workspace's own; null: nothing. */
  priceLimit: PriceLimit | null;
};

/** The highest price of a lease that replaces one that was taken away, and until when (Unix seconds). */
export type PriceLimit = { pricePerSecond: bigint; until: number };

/**
 * SQL: the highest price of a replica whose lease was taken away before the block, and until when, as DockerContract limits it:
 * its newest limit, unless the workspace was updated since that lease was assigned. Parameters: 1 is the workspace, 2 the block,
 * 4 the replica.
 */
const priceLimit = `select newest.price_per_second as price, newest.until from (
    select limited.*, assigned.block_number as assigned_block, assigned.log_index as assigned_index
    from chain.event_price_limited as limited
    join chain.event_assigned as assigned using (workspace_id, replica, lease)
    where limited.workspace_id = $1 and limited.replica = $4 and limited.block_number <= $2
    order by limited.block_number desc, limited.log_index desc limit 1) as newest
  where newest.until > (select extract(epoch from time) from chain.block where number = $2)
    and not exists (select from chain.event_workspace_updated as updated where updated.workspace_id = $1
      and updated.block_number <= $2
      and (updated.block_number, updated.log_index) > (newest.assigned_block, newest.assigned_index))`;

/**
 * The workspace's placement request as of a block.
 *
 * @param asked Without a replica, no limit of a replacement's price counts.
 * @param status `open`: undefined for a workspace that was not open at the block; `any`: its status is ignored
 */
export async function readWanted(
  db: Queryable,
  asked: { workspace_id: bigint; excluded: number[]; replica?: number },
  block: FleetBlock,
  status: "open" | "any" = "open",
): Promise<Wanted | undefined> {
  const { rows } = await db.query<
    Capacity & {
      image: string;
      gpu_model: string | null;
      vram: number;
      capability: number;
      region: string | null;
      price: bigint;
      limited_to: bigint | null;
      limited_until: number | null;
      config: string;
    }
  >(
    `select image, gpu_model, min_vram_mib::int as vram, min_compute_capability::int as capability, region,
       max_price_per_second::numeric as price, limited.price::numeric as limited_to, limited.until::float8 as limited_until,
       config, ${resourceColumns("gpus")}
     from chain.workspace_history left join (${priceLimit}) as limited on limited.price < max_price_per_second
     where workspace_id = $1 and (status = 'open' or $3)
       and valid_from <= $2 and (valid_to is null or valid_to > $2)`,
    [asked.workspace_id, block.number, status === "any", asked.replica ?? null],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { gpus, cpuMilli, memoryMib, diskGib, ports } = row;
  const preferences = preferencesIn(row.config);
  const request = {
    ...requestOf(preferences),
    workspaceId: asked.workspace_id,
    excluded: asked.excluded,
    image: row.image,
    gpuModel: nullIfUnset(row.gpu_model),
    minVramMib: row.vram,
    minComputeCapability: row.capability,
    region: nullIfUnset(row.region),
    wanted: { gpus, cpuMilli, memoryMib, diskGib, ports },
    maxPricePerSecond: row.limited_to ?? row.price,
  };
  return { request, preferences, priceLimit: limitOf(row) };
}

function limitOf(row: { limited_to: bigint | null; limited_until: number | null }): PriceLimit | null {
  const { limited_to: pricePerSecond, limited_until: until } = row;
  return pricePerSecond === null || until === null ? null : { pricePerSecond, until };
}
