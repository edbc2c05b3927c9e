import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import { type Decision, decide } from "@ngpu/placement/decide";
import type { FleetBlock, PlacementRequest } from "@ngpu/placement/fleet";
import { strategyOf } from "@ngpu/placement/preferences";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import type { PlacementRecord } from "@ngpu/protocol/placement/response";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { WaveTerms } from "@ngpu/waves/schedule";
import { readBlock, readNodes, readUptimes } from "./fleet.ts";
import { createWaveProofs } from "./judgedWaves.ts";
import { type PriceLimit, readWanted } from "./wanted.ts";

/** The part of a placement that can be recomputed. */
type Answer = { nodeId: number | null; ranking: unknown[]; refusals: unknown };

export type Replay = {
  requestId: string;
  block: FleetBlock;
  workspaceId: bigint;
  replica: number;
  /** Number of earlier placements of the workspace that the block does not include. */
  position: number;
  /** Nodes that the request excluded. */
  excluded: number[];
  /** The workspace's placement preferences at the block. */
  preferences: PlacementPreferences;
  same: boolean;
  /** Parts of the placement that differ. */
  different: (keyof Answer)[];
  answered: Answer;
  recomputed: Answer;
};

/**
 * Recomputes a placement from the chain as of its block, by trying every node. Only the request (workspace, replica,
 * position and excluded nodes) is taken from the stored placement.
 *
 * @param pool any Postgres into which autoExport exports this chain; only schema `chain` is read
 * @param waves the terms of waves, from the deployment
 * @throws InputError `placement_pending` (not answered yet) or `placement_block_not_found` (reverted by a reorg, or not exported).
 */
export function replayPlacement(
  pool: Database,
  placement: PlacementRecord,
  waves: WaveTerms,
): Promise<Replay> {
  return transaction(pool, async (db) => {
    await db.query("set transaction isolation level repeatable read, read only");
    const { block, position } = await readBasis(db, placement);
    const { replica, excluded } = placement;
    const workspaceId = BigInt(placement.workspaceId);
    const wanted = await readWanted(db, { workspace_id: workspaceId, excluded, replica }, block);
    const nodes = await readNodes(db, block, null, {
      uptimes: await readUptimes(db, block),
      proofs: await createWaveProofs(waves).upTo(db, block.number),
    });
    const decision: Decision =
      wanted === undefined
        ? { type: "impossible", refusals: {}, nearest: null }
        : decide(
            { block, nodes },
            { ...wanted.request, position } satisfies PlacementRequest,
            strategyOf(wanted.preferences),
          );
    const { preferences = {}, priceLimit = null } = wanted ?? {};
    const request = { requestId: placement.id, block, workspaceId, replica, position, excluded, preferences };
    return { ...request, ...comparison(placement, answerOf(decision, priceLimit)) };
  });
}

/** The block that an answered placement is based on, and its position there. */
async function readBasis(
  db: Queryable,
  { id, block: at, position }: PlacementRecord,
): Promise<{ block: FleetBlock; position: number }> {
  if (at === null || position === null) {
    throw new InputError(`Placement ${id} has not been answered yet.`, {
      code: "placement_pending",
      hint: "Try again when match has answered it.",
    });
  }
  const block = await readBlock(db, BigInt(at.number));
  if (block !== undefined && block.hash === at.hash) return { block, position };
  throw new InputError(
    `Block ${at.number} (${at.hash}), on which the placement is based, is no longer on the chain or not exported here.`,
    {
      code: "placement_block_not_found",
      hint: "Wait until autoExport has exported this block, or verify a later placement.",
    },
  );
}

/** Compares a stored placement with the recomputed one. */
function comparison(
  { nodeId, ranking, refusals }: Answer,
  recomputed: Answer,
): Pick<Replay, "same" | "different" | "answered" | "recomputed"> {
  const answered = { nodeId, ranking, refusals };
  const different = (["nodeId", "ranking", "refusals"] as const).filter(
    (part) => canonical(answered[part]) !== canonical(recomputed[part]),
  );
  return { same: different.length === 0, different, answered, recomputed };
}

/** A decision in the form in which it is stored. */
function answerOf(decision: Decision, priceLimit: PriceLimit | null): Answer {
  if (decision.type === "impossible") {
    const { refusals, nearest } = decision;
    return { nodeId: null, ranking: [], refusals: refusalsOf({ counts: refusals, nearest }, priceLimit) };
  }
  const { nodeId, ranking, refusals } = decision;
  return { nodeId, ranking, refusals: { counts: refusals, nearest: null } };
}

/** What is stored of the rejected nodes: with the limit of the price, where none fits under one. */
export function refusalsOf<Counted>(counted: Counted, priceLimit: PriceLimit | null) {
  return priceLimit === null ? counted : { ...counted, priceLimit };
}

/** JSON with sorted fields: Postgres does not preserve their order. */
function canonical(value: unknown): string {
  return JSON.stringify(sorted(JSON.parse(toJson(value))));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)]));
}
