import type { Database } from "@ngpu/db/pool";
import type { Hex } from "viem";
import { isLive } from "../sessions/sessionStore.ts";
import { currentMeasurerId } from "./measureStore.ts";

export type RoundStatus = "requested" | "open" | "ready" | "done" | "failed";

/** A round in progress, with its state on the chain. */
export type OpenRound = {
  draws: Hex;
  status: RoundStatus;
  round_id: bigint;
  node_id: number;
  on_chain: string;
  opens_at: number;
  closes_at: number;
  /** Whether the node has reported its probe as ready. */
  probed: boolean;
  /** Number of draws: all stored, not assigned yet, assigned, and with a result on the chain. */
  known: number;
  waiting: number;
  assigned: number;
  submitted: number;
};

/** The rounds in progress. Updates draws whose results are on the chain first. */
export async function openRounds(pool: Database): Promise<OpenRound[]> {
  // A result on the chain overrides the stored status of its draw.
  await pool.query(
    `update app.measure_draw one set status = 'submitted', failure = null
     from chain.measurement m join chain.event_measure_submitted e using (round_id)
     where one.draws = m.draws and e.measurer_id = one.measurer_id and one.status in ('drawn', 'assigned')`,
  );
  const { rows } = await pool.query<OpenRound>(
    `select d.draws, d.status, d.node_id, m.round_id::numeric, m.status as on_chain, m.opens_at::float8, m.closes_at::float8,
       d.url is not null as probed,
       count(one.position)::int as known,
       count(*) filter (where one.status = 'drawn')::int as waiting,
       count(*) filter (where one.status = 'assigned')::int as assigned,
       count(*) filter (where one.status = 'submitted')::int as submitted
     from app.measure_round d join chain.measurement m using (draws) left join app.measure_draw one using (draws)
     where d.status not in ('done', 'failed')
     group by d.draws, m.round_id, m.status, m.opens_at, m.closes_at order by m.round_id`,
  );
  return rows;
}

/** Rounds whose window has closed and that are not finalized yet. */
export async function overdueRounds(pool: Database, now: number): Promise<bigint[]> {
  const { rows } = await pool.query<{ round_id: bigint }>(
    `select round_id::numeric from chain.measurement
     where status in ('requested', 'submitted') and closes_at < $1 order by round_id limit 100`,
    [now],
  );
  return rows.map((row) => row.round_id);
}

/**
 * Changes the status of a round and notifies the instances.
 *
 * @param change.from the change applies only in one of these states
 * @returns whether it applied
 */
export async function moveRound(
  pool: Database,
  draws: Hex,
  change: { from: RoundStatus[]; to: RoundStatus; failure?: string },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update app.measure_round set status = $3, failure = coalesce($4, failure), updated_at = now()
     where draws = $1 and status = any($2)`,
    [draws, change.from, change.to, change.failure ?? null],
  );
  if (rowCount === 1) await notify(pool);
  return rowCount === 1;
}

/** Assigns the next draws of a round whose measurers have a session, in their order. @returns their number */
export async function assignNextDraws(pool: Database, draws: Hex, limit: number): Promise<number> {
  const { rowCount } = await pool.query(
    `update app.measure_draw set status = 'assigned', assigned_at = now() where (draws, position) in (
       select one.draws, one.position from app.measure_draw one
       where one.draws = $1 and one.status = 'drawn' and exists (select from app.session s
         where s.role = 'measurer' and s.subject_id = ${currentMeasurerId("one")} and ${isLive})
       order by one.position limit $2)`,
    [draws, limit],
  );
  if ((rowCount ?? 0) > 0) await notify(pool);
  return rowCount ?? 0;
}

/** Fails the draws of a round that were assigned more than `seconds` ago. */
export async function failOverdueDraws(pool: Database, draws: Hex, seconds: number): Promise<void> {
  await pool.query(
    `update app.measure_draw set status = 'failed', failure = 'measurer: no result in time'
     where draws = $1 and status = 'assigned' and assigned_at < now() - make_interval(secs => $2)`,
    [draws, seconds],
  );
}

async function notify(pool: Database): Promise<void> {
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}
