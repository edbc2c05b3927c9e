import type { Queryable } from "@ngpu/db/pool";

export type PlacementRow = {
  id: string;
  workspace_id: string;
  replica: number;
  status: "requested" | "answered" | "impossible" | "used" | "refused";
  node_id: number | null;
  block: string | null;
  answered_at: Date;
  micros: string;
};

/** Answered placements, newest first. */
export async function listPlacements(
  db: Queryable,
  limit: number,
  after: { micros: string; id: string } | undefined,
): Promise<PlacementRow[]> {
  const { rows } = await db.query<PlacementRow>(
    `select request_id as id, workspace_id::text, replica, status, node_id, block_number::text as block, answered_at,
       (extract(epoch from answered_at) * 1000000)::bigint::text as micros
     from app.placement
     where answered_at is not null and ($2::bigint is null
       or (answered_at, request_id) < (timestamptz 'epoch' + $2::bigint * interval '1 microsecond', $3::uuid))
     order by answered_at desc, request_id desc limit $1`,
    [limit, after?.micros ?? null, after?.id ?? null],
  );
  return rows;
}
