import type { Database } from "@ngpu/db/pool";
import type { Hex } from "viem";
import { fresh } from "../sessions/sessionStore.ts";
import { idNow } from "./measureStore.ts";

export type RoundStatus = "requested" | "open" | "ready" | "done" | "failed";

/** A round under way here, beside what the chain says of it. */
export type OpenRound = {
  draws: Hex;
  status: RoundStatus;
  round_id: bigint;
  node_id: number;
  on_chain: string;
  opens_at: number;
  closes_at: number;
  /** Draws known at all, those still to come, at work, and whose results are on the chain. */
  known: number;
  waiting: number;
  assigned: number;
  submitted: number;
};

export async function openRounds(pool: Database): Promise<OpenRound[]> {
  // What the chain holds of a draw is more than what was heard of it here.
  await pool.query(
    `update app.measure_draw one set status = 'submitted', failure = null
     from chain.measurement m join chain.event_measure_submitted e using (round_id)
     where one.draws = m.draws and e.measurer_id = one.measurer_id and one.status in ('drawn', 'assigned')`,
  );
  const { rows } = await pool.query<OpenRound>(
    `select d.draws, d.status, d.node_id, m.round_id::numeric, m.status as on_chain, m.opens_at::int, m.closes_at::int,
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

/** Rounds whose window is over and that nobody ended yet. */
export async function overdueRounds(pool: Database, now: number): Promise<bigint[]> {
  const { rows } = await pool.query<{ round_id: bigint }>(
    `select round_id::numeric from chain.measurement
     where status in ('requested', 'submitted') and closes_at < $1 order by round_id limit 100`,
    [now],
  );
  return rows.map((row) => row.round_id);
}

/** Moves a round on from one of the states given, and tells the instances that hold the sessions. */
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

/** Gives the next draws of a round to their measurers: those with a session, in the order drawn. */
export async function assignNextDraws(pool: Database, draws: Hex, limit: number): Promise<number> {
  const { rowCount } = await pool.query(
    `update app.measure_draw set status = 'assigned', assigned_at = now() where (draws, position) in (
       select one.draws, one.position from app.measure_draw one
       where one.draws = $1 and one.status = 'drawn' and exists (select from app.session s
         where s.role = 'measurer' and s.subject_id = ${idNow("one")} and ${fresh})
       order by one.position limit $2)`,
    [draws, limit],
  );
  if ((rowCount ?? 0) > 0) await notify(pool);
  return rowCount ?? 0;
}

/** Gives up draws of a round that have been at work for too long. */
export async function failOverdueDraws(pool: Database, draws: Hex, seconds: number): Promise<void> {
  await pool.query(
    `update app.measure_draw set status = 'failed', failure = 'measurer: no result came in time'
     where draws = $1 and status = 'assigned' and assigned_at < now() - make_interval(secs => $2)`,
    [draws, seconds],
  );
}

async function notify(pool: Database): Promise<void> {
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}
