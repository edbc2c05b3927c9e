import type { Database } from "@ngpu/db/pool";
import { drawTreeOf } from "@ngpu/protocol/drawTree";
import type { Hex } from "viem";
import { currentMeasurerId } from "./measureStore.ts";

/** An order to the node of a round. */
export type ProbeOrder = {
  round_id: bigint;
  node_id: number;
  port: number;
  ports: number[];
  token: string;
  closes_at: number;
  /** The probe is no longer needed. */
  over: boolean;
};

/**
 * Orders to nodes: rounds on the chain that have not ended, and rounds that ended in the last minute. A node starts its
 * probe while the measurers are drawn, so that the probe responds when the round opens.
 */
export async function pendingProbeOrders(pool: Database): Promise<ProbeOrder[]> {
  const { rows } = await pool.query<ProbeOrder>(
    `select m.round_id::numeric, d.node_id, d.port, d.ports, d.token, m.closes_at::float8, d.status in ('done', 'failed') as over
     from app.measure_round d join chain.measurement m using (draws)
     where d.status in ('requested', 'open', 'ready')
       or (d.status in ('done', 'failed') and d.updated_at > now() - interval '60 seconds')
     order by m.round_id`,
  );
  return rows;
}

/** An order to a measurer of a round. */
export type MeasureOrder = {
  round_id: bigint;
  draws: Hex;
  node_id: number;
  measurer_id: number;
  /** The id under which the measurer has its session. */
  current_id: number;
  position: number;
  host: string;
  /** The draw's own port, and those of all draws. */
  port: number;
  ports: number[];
  salts: Hex[];
  token: string;
  closes_at: number;
  /** URL of the probe; null until the node reports it as ready. */
  url: string | null;
};

/** Orders to measurers: the assigned draws. */
export async function pendingMeasureOrders(pool: Database): Promise<MeasureOrder[]> {
  const { rows } = await pool.query<MeasureOrder>(
    `select m.round_id::numeric, d.draws, d.node_id, one.measurer_id, ${currentMeasurerId("one")}::int as current_id,
       one.position, d.host, d.ports[one.position + 1] as port, d.ports, d.salts, d.token,
       m.closes_at::float8, d.url
     from app.measure_draw one join app.measure_round d using (draws) join chain.measurement m using (draws)
     where one.status = 'assigned' and d.status in ('open', 'ready') order by m.round_id`,
  );
  return rows;
}

/** The salt of a draw and its Merkle proof. */
export function proofOf({ salts, ports, position }: Pick<MeasureOrder, "salts" | "ports" | "position">) {
  const proof = drawTreeOf(salts.map((salt, at) => ({ port: ports[at] as number, salt }))).proofOf(position);
  return { salt: salts[position] as Hex, proof };
}

/** URL of a probe. */
export function probeUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** URL at which a measurer measures: that of its own port, at the address that the node reported as ready. */
export function measuredUrl({ url, host, port }: Pick<MeasureOrder, "url" | "host" | "port">): string {
  return probeUrl(url === null ? host : new URL(url).hostname.replace(/^\[|\]$/g, ""), port);
}

/** Records that the node's probe is ready. The round is ready once it is open. */
export async function markReady(
  pool: Database,
  ready: { roundId: bigint; nodeId: number; port: number; url: string },
): Promise<void> {
  await pool.query(
    `update app.measure_round d
       set status = case d.status when 'open' then 'ready' else d.status end, url = $4, updated_at = now()
     from chain.measurement m
     where m.draws = d.draws and m.round_id = $1 and d.node_id = $2 and d.port = $3 and d.status in ('requested', 'open')`,
    [ready.roundId, ready.nodeId, ready.port, ready.url],
  );
  await notify(pool);
}

/** Records that the node cannot run the probe. The node is present, but the round fails. */
export async function markProbeFailed(
  pool: Database,
  failed: { roundId: bigint; nodeId: number; reason: string },
): Promise<void> {
  await pool.query(
    `update app.measure_round d set status = 'failed', failure = $3, updated_at = now() from chain.measurement m
     where m.draws = d.draws and m.round_id = $1 and d.node_id = $2 and d.status in ('requested', 'open', 'ready')`,
    [failed.roundId, failed.nodeId, `node: ${failed.reason}`],
  );
  await notify(pool);
}

/** Records that a measurer could not measure. */
export async function markMeasureFailed(
  pool: Database,
  failed: { roundId: bigint; measurerId: number; reason: string },
): Promise<void> {
  await pool.query(
    `update app.measure_draw one set status = 'failed', failure = $3 from chain.measurement m
     where m.draws = one.draws and m.round_id = $1 and ${currentMeasurerId("one")} = $2 and one.status = 'assigned'`,
    [failed.roundId, failed.measurerId, `measurer: ${failed.reason}`],
  );
  await notify(pool);
}

async function notify(pool: Database): Promise<void> {
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}
