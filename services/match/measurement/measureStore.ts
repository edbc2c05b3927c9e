import type { Database } from "@ngpu/db/pool";
import { isGood } from "@ngpu/queries/measurements";
import type { Hex } from "viem";
import { isLive } from "../sessions/sessionStore.ts";
import type { MeasurableNode, MeasurerSession, NewDraw, NewRound, RoundToDraw } from "./roundFacts.ts";

/**
 * Online nodes with a session, with the state of their measurements.
 *
 * @param now Unix seconds, by the chain's clock
 */
export async function measurableNodes(pool: Database, now: number): Promise<MeasurableNode[]> {
  const { rows } = await pool.query<MeasurableNode>(
    `with round as (
       select m.node_id::int, m.round_id, m.expires_at::bigint, m.closes_at,
         ${isGood("m")} as good,
         -- The contract rejects another request until then; a submitted result has another minute to be published.
         m.status in ('requested', 'submitted')
           and m.closes_at + case when m.submissions > 0 then 60 else 0 end >= $1 as open
       from chain.measurement m
     ), last_good as (
       select node_id, max(round_id) as round_id, max(expires_at) as expires_at from round where good group by node_id
     )
     select n.node_id::int, max(s.host) as host, g.expires_at::float8 as valid_until,
       coalesce(bool_or(r.open), false) as open,
       count(*) filter (where not r.good and not r.open and r.round_id > coalesce(g.round_id, 0))::int as failures,
       max(r.closes_at) filter (where not r.good and not r.open)::float8 as failed_at,
       count(r.round_id)::int as rounds
     from chain.node n
       join app.session s on s.role = 'node' and s.subject_id = n.node_id and ${isLive}
       left join round r on r.node_id = n.node_id
       left join last_good g on g.node_id = n.node_id
     where n.status = 'online'
     group by n.node_id, g.expires_at order by n.node_id`,
    [now],
  );
  return rows;
}

/**
 * SQL: the current id of a draw's measurer. After Measure is replaced, a measurer registers again with the same key, and
 * continues the rounds that drew it before.
 */
export const currentMeasurerId = (draw: string) => `(select max(now.measurer_id) from chain.measurer as drawn
  join chain.measurer as now using (key) where drawn.measurer_id = ${draw}.measurer_id)`;

/**
 * Registered measurers.
 *
 * @param live only those with a session
 */
export async function readMeasurers(pool: Database, live: boolean): Promise<MeasurerSession[]> {
  const { rows } = await pool.query<MeasurerSession>(
    `select m.measurer_id::int, coalesce(m.wallet, m.key) as owner from chain.measurer m
     where not $1 or exists (select from app.session s
       where s.role = 'measurer' and s.subject_id = m.measurer_id and ${isLive})
     order by m.measurer_id`,
    [live],
  );
  return rows;
}

/** Stores rounds; call it before they are requested on the chain. */
export async function putRounds(pool: Database, rounds: readonly NewRound[]): Promise<void> {
  await pool.query(
    `insert into app.measure_round (draws, node_id, host, port, token, salts, ports)
     select draws, node_id, host, port, token, array(select jsonb_array_elements_text(salts)),
       array(select jsonb_array_elements_text(ports)::integer)
     from unnest($1::text[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::jsonb[], $7::jsonb[])
       as round (draws, node_id, host, port, token, salts, ports)
     on conflict do nothing`,
    [
      rounds.map((round) => round.draws),
      rounds.map((round) => round.node_id),
      rounds.map((round) => round.host),
      rounds.map((round) => round.port),
      rounds.map((round) => round.token),
      rounds.map((round) => JSON.stringify(round.salts)),
      rounds.map((round) => JSON.stringify(round.ports)),
    ],
  );
}

/** Ports of rounds in progress: several nodes may share a machine. */
export async function portsInUse(pool: Database): Promise<Set<number>> {
  const { rows } = await pool.query<{ port: number }>(
    "select unnest(ports) as port from app.measure_round where status not in ('done', 'failed')",
  );
  return new Set(rows.map((row) => row.port));
}

/** Deletes rounds that never reached the chain: the request was sent before under another root, or failed. */
export async function dropUnrequested(pool: Database): Promise<void> {
  await pool.query(
    `delete from app.measure_round d where d.status = 'requested' and d.created_at < now() - interval '10 minutes'
       and not exists (select from chain.measurement m where m.draws = d.draws)`,
  );
}

/** Rounds on the chain whose draws are not stored yet. */
export async function roundsToDraw(pool: Database, now: number): Promise<RoundToDraw[]> {
  const { rows } = await pool.query<RoundToDraw>(
    `select m.round_id::numeric, d.draws, d.salts, m.opens_at::float8, n.key, coalesce(n.wallet, n.key) as owner
     from app.measure_round d join chain.measurement m using (draws) join chain.node n on n.node_id = d.node_id
     where d.status not in ('done', 'failed') and m.closes_at > $1
       -- The hash of a block is available from the next block on.
       and m.draw_block < (select number from chain.head where tier = 'unsafe')
       and not exists (select from app.measure_draw one where one.draws = d.draws)
     order by m.round_id`,
    [now],
  );
  return rows;
}

/** Stores the draws of a round; those with a failure count as failed. */
export async function putDraws(pool: Database, draws: Hex, drawn: readonly NewDraw[]): Promise<void> {
  await pool.query(
    `insert into app.measure_draw (draws, position, measurer_id, status, failure)
     select $1, position, measurer_id, case when failure is null then 'drawn' else 'failed' end, failure
     from unnest($2::int[], $3::int[], $4::text[]) as one (position, measurer_id, failure) on conflict do nothing`,
    [
      draws,
      drawn.map(({ position }) => position),
      drawn.map(({ measurer_id }) => measurer_id),
      drawn.map(({ failure }) => failure),
    ],
  );
}
