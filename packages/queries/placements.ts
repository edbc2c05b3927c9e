import type { Queryable } from "@ngpu/db/pool";
import type { PlacementAnswer } from "@ngpu/protocol/placement/response";

type Row = {
  workspace_id: string;
  replica: number;
  status: PlacementAnswer["status"];
  block_number: string | null;
  block_hash: string | null;
  position: number | null;
  excluded: number[];
  node_id: number | null;
  ranking: unknown[] | null;
  refusals: { counts: unknown; nearest: unknown } | null;
  refusal: string | null;
  assign_tx: string | null;
  requested_at: Date;
  answered_at: Date | null;
};

/** The placement of a request; undefined when there is none with this id. */
export async function findPlacement(db: Queryable, id: string): Promise<PlacementAnswer | undefined> {
  const { rows } = await db.query<Row>(
    `select workspace_id::text, replica, status, block_number::text, block_hash, position, excluded, node_id, ranking,
       refusals, refusal, assign_tx, requested_at, answered_at
     from app.placement where request_id = $1`,
    [id],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { block_number: number, block_hash: hash } = row;
  return {
    id,
    workspaceId: row.workspace_id,
    replica: row.replica,
    status: row.status,
    block: number === null || hash === null ? null : { number, hash },
    position: row.position,
    excluded: row.excluded,
    nodeId: row.node_id,
    ranking: row.ranking ?? [],
    refusals: row.refusals,
    refusal: row.refusal,
    assignTx: row.assign_tx,
    requestedAt: row.requested_at.toISOString(),
    answeredAt: row.answered_at?.toISOString() ?? null,
  };
}
