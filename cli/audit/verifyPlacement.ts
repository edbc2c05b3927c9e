import { waveTerms } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { type PlacementRecord, placementRecord } from "@ngpu/protocol/placement/response";
import { defaultStrategy } from "@ngpu/protocol/placement/strategies";
import { findPlacement } from "@ngpu/queries/placements";
import { type Replay, replayPlacement } from "@ngpu/queries/replay";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { WaveTerms } from "@ngpu/waves/schedule";
import { endWith } from "../shared/exitCodes.ts";
import { apiOf, type GlobalOptions, namedApi, settingsOf } from "../shared/settings.ts";
import { withDatabase } from "./database.ts";
import { type SourceOptions, sourceOf } from "./recompute.ts";
import { isLease, verifyAssignment } from "./verifyAssignment.ts";

type Options = SourceOptions & GlobalOptions & { api: string; json: boolean; databaseUrl?: string };

/**
 * Recomputes the assignment of a lease from the chain's logs, or a placement by its id from an export of the chain, and prints whether
 * the result is the same. The exit code is 0 if it is, else 2.
 */
export async function verifyPlacement(id: string, options: Options): Promise<void> {
  if (isLease(id)) return verifyAssignment(id, options);
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    throw new InputError(
      `${id} is neither a lease nor the id of a placement, which is a UUID as in GET /v1/workspaces/{id}.`,
      {
        code: "placement_id_invalid",
        hint: "Name a lease as in 7/0/1, or copy the id from GET /v1/workspaces/{id}.",
      },
    );
  }
  await withDatabase(options.databaseUrl, async (pool) => {
    const placement = await readPlacement(pool, id, options);
    const replay = await replayPlacement(pool, placement, await waveTermsOf(pool, options));
    process.stdout.write(options.json === true ? `${toJson(replay)}\n` : formatText(replay));
    endWith(replay.same ? "success" : "no");
  });
}

/** The terms of waves, from the deployment; the default ones where the chain has no wave. */
async function waveTermsOf(pool: Database, options: Options): Promise<WaveTerms> {
  const { rowCount } = await pool.query("select from chain.wave limit 1");
  return rowCount === 0 ? waveTerms.parse({}) : (await sourceOf(options)).deployment.parameters.waves;
}

/**
 * Reads the placement from the API, or from the database when no API is named.
 *
 * @throws InputError `placement_not_found`, and the errors of the API.
 */
async function readPlacement(pool: Database, id: string, options: Options): Promise<PlacementRecord> {
  if (namedApi(options) !== undefined) {
    const api = apiOf(settingsOf(options));
    return placementRecord.parse(await api.call("GET /v1/placements/{id}", { path: { id } }));
  }
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
