import { type Database, transaction } from "../shared/db/pool.ts";
import { InputError } from "../shared/errors.ts";
import { toJson } from "../shared/json.ts";
import type { PlacementWishes } from "../shared/placement/wishes.ts";
import { type Decision, decide } from "./decide.ts";
import type { FleetBlock, PlacementRequest } from "./fleet.ts";
import { readBlock, readNodes, readUptimes } from "./fleetStore.ts";
import { readWanted } from "./placementStore.ts";
import { strategyOf } from "./wishes.ts";

/** What was answered, as far as it can be recomputed. */
type Answer = { nodeId: number | null; ranking: unknown[]; refusals: unknown };

export type Replay = {
  requestId: string;
  block: FleetBlock;
  workspaceId: bigint;
  replica: number;
  /** Answers for the workspace that went before, and nodes that were left out. */
  place: number;
  excluded: number[];
  /** What the workspace wishes of its nodes, as it was published. */
  wishes: PlacementWishes;
  same: boolean;
  /** Which parts of the answer differ. */
  different: (keyof Answer)[];
  answered: Answer;
  recomputed: Answer;
};

type PlacementRow = {
  workspace_id: bigint;
  replica: number;
  excluded: number[];
  block_number: bigint | null;
  block_hash: string | null;
  place: number | null;
  node_id: number | null;
  ranking: unknown[] | null;
  refusals: { counts: unknown; nearest: unknown } | null;
};

/**
 * Decides a placement once more, by trying every node, from what the chain says as of its block: only the request itself
 * (workspace, replica, place, what was excluded) is taken from the answer.
 *
 * @throws InputError `placement_unknown`, `placement_open` (not answered) or `block_gone` (a reorg took it back).
 */
export function replayPlacement(pool: Database, requestId: string): Promise<Replay> {
  return transaction(pool, async (db) => {
    await db.query("set transaction isolation level repeatable read, read only");
    const { rows } = await db.query<PlacementRow>(
      `select workspace_id, replica, excluded, block_number, block_hash, place, node_id, ranking, refusals
       from app.placement where request_id = $1`,
      [requestId],
    );
    const row = rows[0];
    if (row === undefined) throw fault("placement_unknown", `There is no placement ${requestId}.`);
    if (row.block_number === null || row.place === null) {
      throw fault("placement_open", `Placement ${requestId} has not been answered yet.`);
    }
    const block = await readBlock(db, row.block_number);
    if (block === undefined || block.hash !== row.block_hash) {
      throw fault(
        "block_gone",
        `Block ${row.block_number} (${row.block_hash}), which the placement rests on, is not on the chain any more.`,
      );
    }
    const wanted = await readWanted(db, row, block);
    const place = row.place;
    const nodes = await readNodes(db, block, null, await readUptimes(db, block));
    const decision: Decision =
      wanted === undefined
        ? { type: "impossible", refusals: {}, nearest: null }
        : decide(
            { block, nodes },
            { ...wanted.request, place } satisfies PlacementRequest,
            strategyOf(wanted.wishes),
          );
    const answered = { nodeId: row.node_id, ranking: row.ranking ?? [], refusals: row.refusals };
    const recomputed = answerOf(decision);
    const different = (["nodeId", "ranking", "refusals"] as const).filter(
      (part) => canonical(answered[part]) !== canonical(recomputed[part]),
    );
    return {
      ...{ requestId, block, workspaceId: row.workspace_id, replica: row.replica, place },
      ...{ excluded: row.excluded, wishes: wanted?.wishes ?? {} },
      ...{ same: different.length === 0, different, answered, recomputed },
    };
  });
}

/** A decision as it stands in an answer. */
function answerOf(decision: Decision): Answer {
  if (decision.type === "impossible") {
    const { refusals, nearest } = decision;
    return { nodeId: null, ranking: [], refusals: { counts: refusals, nearest } };
  }
  const { nodeId, ranking, refusals } = decision;
  return { nodeId, ranking, refusals: { counts: refusals, nearest: null } };
}

/** JSON with the fields in one order: Postgres keeps its own. */
function canonical(value: unknown): string {
  return JSON.stringify(sorted(JSON.parse(toJson(value))));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]));
}

function fault(code: string, message: string): InputError {
  return new InputError(message, { code });
}
