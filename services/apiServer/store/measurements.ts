import type { Queryable } from "@ngpu/db/pool";
import type { Tier } from "./escrow.ts";

export type MeasurementRow = {
  id: string;
  node_id: number;
  status: "requested" | "submitted" | "finalized" | "failed";
  opens_at: number;
  closes_at: number;
  submissions: number;
  down_mbps: number | null;
  up_mbps: number | null;
  latency_tenth_ms: number | null;
  ports_reachable: number | null;
  disk_free_gib: number | null;
  disk_write_mibps: number | null;
  expires_at: number | null;
  tier: Tier;
};

const measurementSelect = `
  select round_id::text as id, node_id::float8 as node_id, status, opens_at::float8 as opens_at,
    closes_at::float8 as closes_at, coalesce(submissions, 0)::int4 as submissions, down_mbps::float8 as down_mbps,
    up_mbps::float8 as up_mbps, latency_tenth_ms::float8 as latency_tenth_ms,
    ports_reachable::int4 as ports_reachable, disk_free_gib::float8 as disk_free_gib,
    disk_write_mibps::float8 as disk_write_mibps, expires_at::float8 as expires_at, chain.tier(block_number) as tier
  from chain.measurement`;

export async function findMeasurement(db: Queryable, id: string): Promise<MeasurementRow | undefined> {
  const { rows } = await db.query<MeasurementRow>(`${measurementSelect} where round_id = $1::numeric`, [id]);
  return rows[0];
}

/** The node's last finalized measurement. */
export async function lastMeasurement(db: Queryable, nodeId: number): Promise<MeasurementRow | undefined> {
  const { rows } = await db.query<MeasurementRow>(
    `${measurementSelect} where node_id = $1 and status = 'finalized' order by round_id desc limit 1`,
    [nodeId],
  );
  return rows[0];
}

/** A node's measurement rounds, newest first; only those before `before`. */
export async function listMeasurements(
  db: Queryable,
  nodeId: number,
  limit: number,
  before: string | undefined,
): Promise<MeasurementRow[]> {
  const { rows } = await db.query<MeasurementRow>(
    `${measurementSelect} where node_id = $1 and ($3::numeric is null or round_id < $3::numeric)
     order by round_id desc limit $2`,
    [nodeId, limit, before ?? null],
  );
  return rows;
}
