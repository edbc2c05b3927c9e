import { type Replay, replayPlacement } from "../../services/match/replay.ts";
import { InputError } from "../../services/shared/errors.ts";
import { toJson } from "../../services/shared/json.ts";
import { defaultStrategy } from "../../services/shared/placement/wishes.ts";
import { withDatabase } from "./database.ts";

type Options = { databaseUrl?: string; json: boolean };

/** Prints whether a placement comes out the same; the exit code is 0 for the same, 2 for a different one. */
export async function verifyPlacement(id: string, options: Options): Promise<void> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    throw new InputError(`${id} is not the id of a placement: a UUID such as app.placement holds.`, {
      code: "placement_id_invalid",
    });
  }
  await withDatabase(options.databaseUrl, async (pool) => {
    const replay = await replayPlacement(pool, id);
    process.stdout.write(options.json ? `${toJson(replay)}\n` : inWords(replay));
    process.exitCode = replay.same ? 0 : 2;
  });
}

function inWords(replay: Replay): string {
  const { answered, recomputed, block, workspaceId, replica, place, excluded } = replay;
  const node = (id: number | null) => (id === null ? "no node" : `node ${id}`);
  const verdict = replay.same
    ? `Same: ${node(answered.nodeId)}.`
    : `Different: ${node(answered.nodeId)} was answered, ${node(recomputed.nodeId)} comes out; ` +
      `what differs: ${replay.different.join(", ")}.`;
  return [
    verdict,
    `Workspace ${workspaceId}, replica ${replica}, at block ${block.number} ${block.hash}, place ${place}, ` +
      `excluded: ${excluded.length === 0 ? "none" : excluded.join(", ")}.`,
    `Strategy ${replay.wishes.strategy ?? defaultStrategy}; wishes: ${toJson(replay.wishes)}.`,
    "Ranking as recomputed:",
    ...recomputed.ranking.map((ranked, index) => `  ${index + 1}. ${toJson(ranked)}`),
    `Refused: ${toJson(recomputed.refusals)}`,
    "",
  ].join("\n");
}
