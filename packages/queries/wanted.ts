import type { Queryable } from "@ngpu/db/pool";
import type { Capacity, FleetBlock, PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf } from "@ngpu/placement/preferences";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import { nullIfUnset, resourceColumns } from "./fleet.ts";

/** A workspace's placement request, from its spec and its placement preferences. */
export type Wanted = { request: Omit<PlacementRequest, "position">; preferences: PlacementPreferences };

/**
 * SQL: the highest price of a replica whose lease was taken away before the block, as DockerContract limits it: for a day
 * after a lost lease, for an hour after others, until the workspace is updated. Parameters: 1 is the workspace, 2 the block,
 * 4 the replica. The contract may limit it more where one replica was taken away several times.
 */
const priceLimit = `(select min(taken.price_per_second + div(taken.price_per_second, 10))
  from chain.assignment as taken join chain.lease using (workspace_id, replica, lease)
  join chain.block as released on released.number = taken.block_number
  where taken.workspace_id = $1 and taken.replica = $4 and taken.release_reason in ('lost', 'replaced', 'late')
    and taken.desired <> 'delete' and lease.settled > 0 and taken.block_number <= $2
    and released.time > (select time from chain.block where number = $2)
      - case taken.release_reason when 'lost' then interval '1 day' else interval '1 hour' end
    and not exists (select from chain.event_workspace_updated as updated where updated.workspace_id = $1
      and updated.block_number <= $2 and updated.block_number >= taken.assigned_block))`;

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
      config: string;
    }
  >(
    `select image, gpu_model, min_vram_mib::int as vram, min_compute_capability::int as capability, region,
       least(max_price_per_second, ${priceLimit})::numeric as price, config, ${resourceColumns("gpus")}
     from chain.workspace_history where workspace_id = $1 and (status = 'open' or $3)
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
    maxPricePerSecond: row.price,
  };
  return { request, preferences };
}
