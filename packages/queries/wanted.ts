import type { Queryable } from "@ngpu/db/pool";
import type { Capacity, FleetBlock, PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf } from "@ngpu/placement/preferences";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import { nullIfUnset, resourceColumns } from "./fleet.ts";

/** A workspace's placement request, from its spec and its placement preferences. */
export type Wanted = { request: Omit<PlacementRequest, "position">; preferences: PlacementPreferences };

/**
 * The workspace's placement request as of a block.
 *
 * @param status `open`: undefined for a workspace that was not open at the block; `any`: its status is ignored
 */
export async function readWanted(
  db: Queryable,
  asked: { workspace_id: bigint; excluded: number[] },
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
       max_price_per_second::numeric as price, config, ${resourceColumns("gpus")}
     from chain.workspace_history where workspace_id = $1 and (status = 'open' or $3)
       and valid_from <= $2 and (valid_to is null or valid_to > $2)`,
    [asked.workspace_id, block.number, status === "any"],
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
