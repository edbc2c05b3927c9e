import type { Database } from "@ngpu/db/pool";
import { defaultStrategy } from "@ngpu/protocol/placement/preferences";
import { type PlacementRecord, placementRecord } from "@ngpu/protocol/placement/response";
import { findPlacement } from "@ngpu/queries/placements";
import { type Replay, replayPlacement } from "@ngpu/queries/replay";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { callApi } from "./api.ts";
import { withDatabase } from "./database.ts";

type Options = { api?: string; databaseUrl?: string; json: boolean };

/** Recomputes a placement and prints whether the result is the same. The exit code is 0 if it is, else 2. */
export async function verifyPlacement(id: string, options: Options): Promise<void> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    throw new InputError(
      `${id} is not the id of a placement, which is a UUID as in GET /v1/workspaces/{id}.`,
      {
        code: "placement_id_invalid",
        hint: "Copy the id from GET /v1/workspaces/{id}.",
      },
    );
  }
  await withDatabase(options.databaseUrl, async (pool) => {
    const replay = await replayPlacement(pool, await readPlacement(pool, id, options.api));
    process.stdout.write(options.json ? `${toJson(replay)}\n` : formatText(replay));
    process.exitCode = replay.same ? 0 : 2;
  });
}

/**
 * Reads the placement from the API, or from the database without one.
 *
 * @throws InputError `placement_not_found`, and the errors of `callApi`.
 */
async function readPlacement(pool: Database, id: string, api: string | undefined): Promise<PlacementRecord> {
  if (api !== undefined) return placementRecord.parse(await callApi({ api }, `/v1/placements/${id}`));
  const placement = await findPlacement(pool, id);
  if (placement !== undefined) return placement;
  throw new InputError(`There is no placement ${id}.`, {
    code: "placement_not_found",
    hint: "Check the id, or name the API that returned it with --api.",
  });
}

function formatText(replay: Replay): string {
  const { answered, recomputed, block, workspaceId, replica, position, excluded } = replay;
  const node = (id: number | null) => (id === null ? "no node" : `node ${id}`);
  const verdict = replay.same
    ? `Same: ${node(answered.nodeId)}.`
    : `Different: the answer was ${node(answered.nodeId)}, recomputed is ${node(recomputed.nodeId)}; ` +
      `differences: ${replay.different.join(", ")}.`;
  return [
    verdict,
    `Workspace ${workspaceId}, replica ${replica}, at block ${block.number} ${block.hash}, position ${position}, ` +
      `excluded: ${excluded.length === 0 ? "none" : excluded.join(", ")}.`,
    `Strategy ${replay.preferences.strategy ?? defaultStrategy}; preferences: ${toJson(replay.preferences)}.`,
    "Recomputed ranking:",
    ...recomputed.ranking.map((ranked, index) => `  ${index + 1}. ${toJson(ranked)}`),
    `Rejected nodes: ${toJson(recomputed.refusals)}`,
    "",
  ].join("\n");
}
