import type { Database } from "@ngpu/db/pool";
import { drawTreeOf } from "@ngpu/protocol/drawTree";
import type { Hex } from "viem";
import { idNow } from "./measureStore.ts";

/** What a node in a round is to be told. */
export type ProbeOrder = {
  round_id: bigint;
  node_id: number;
  port: number;
  token: string;
  closes_at: number;
  /** The probe is not needed any more. */
  over: boolean;
};

/** Rounds about which a node has something to be told. */
export async function pendingProbeOrders(pool: Database): Promise<ProbeOrder[]> {
  const { rows } = await pool.query<ProbeOrder>(
    `select m.round_id::numeric, d.node_id, d.port, d.token, m.closes_at::int, d.status in ('done', 'failed') as over
     from app.measure_round d join chain.measurement m using (draws)
     where d.status in ('open', 'ready')
       or (d.status in ('done', 'failed') and d.updated_at > now() - interval '60 seconds')
     order by m.round_id`,
  );
  return rows;
}

/** What a measurer in a round is to be told. */
export type MeasureOrder = {
  round_id: bigint;
  draws: Hex;
  node_id: number;
  measurer_id: number;
  /** Under which the measurer has its session. */
  id_now: number;
  position: number;
  host: string;
  port: number;
  salts: Hex[];
  token: string;
  closes_at: number;
  /** Null while the node has not said that its probe answers. */
  url: string | null;
};

/** Draws that are to be measured now. */
export async function pendingMeasureOrders(pool: Database): Promise<MeasureOrder[]> {
  const { rows } = await pool.query<MeasureOrder>(
    `select m.round_id::numeric, d.draws, d.node_id, one.measurer_id, ${idNow("one")}::int as id_now,
       one.position, d.host, d.port, d.salts, d.token,
       m.closes_at::int, d.url
     from app.measure_draw one join app.measure_round d using (draws) join chain.measurement m using (draws)
     where one.status = 'assigned' and d.status in ('open', 'ready') order by m.round_id`,
  );
  return rows;
}

/** The salt and the proof of a draw. */
export function proofOf({ salts, port, position }: MeasureOrder) {
  const proof = drawTreeOf(salts.map((salt) => ({ port, salt }))).proofOf(position);
  return { salt: salts[position] as Hex, proof };
}

/** Where a probe is reached. */
export function probeUrl(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The node's probe answers. */
export async function markReady(
  pool: Database,
  ready: { roundId: bigint; nodeId: number; port: number; url: string },
): Promise<void> {
  await pool.query(
    `update app.measure_round d set status = 'ready', url = $4, updated_at = now() from chain.measurement m
     where m.draws = d.draws and m.round_id = $1 and d.node_id = $2 and d.port = $3 and d.status = 'open'`,
    [ready.roundId, ready.nodeId, ready.port, ready.url],
  );
  await notify(pool);
}

/** The node of a round cannot run the probe: it is there, and the round comes to nothing. */
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

/** A measurer could not measure. */
export async function markMeasureFailed(
  pool: Database,
  failed: { roundId: bigint; measurerId: number; reason: string },
): Promise<void> {
  await pool.query(
    `update app.measure_draw one set status = 'failed', failure = $3 from chain.measurement m
     where m.draws = one.draws and m.round_id = $1 and ${idNow("one")} = $2 and one.status = 'assigned'`,
    [failed.roundId, failed.measurerId, `measurer: ${failed.reason}`],
  );
  await notify(pool);
}

async function notify(pool: Database): Promise<void> {
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}
