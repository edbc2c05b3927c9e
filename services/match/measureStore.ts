import type { Hex } from "viem";
import type { Database } from "../shared/db/pool.ts";
import { fresh } from "./sessionStore.ts";

/** A node online with a session, and where its measurements stand. Times are Unix seconds. */
export type MeasurableNode = {
  node_id: number;
  /** Its last measurement is valid until then; null: none. */
  valid_until: number | null;
  /** A round of it is under way. */
  open: boolean;
  /** Rounds since the last measurement that came to nothing, and when the last of them ended. */
  failures: number;
  failed_at: number | null;
  /** All rounds there ever were. */
  rounds: number;
};

export async function measurableNodes(pool: Database, now: number): Promise<MeasurableNode[]> {
  const { rows } = await pool.query<MeasurableNode>(
    `with round as (
       select m.node_id::int, m.round_id, m.expires_at::bigint,
         m.status = 'finalized' and m.submissions > 0 as good,
         -- Still to be drawn, or drawn and under way; a result that waits to be published has a minute more.
         m.status <> 'finalized' and m.closes_at + case when m.submissions > 0 then 60 else 0 end > $1
           and case when d.round_id is null then m.opens_at > $1 else d.status <> 'failed' end as open,
         least(m.closes_at::bigint, case when d.status = 'failed' then extract(epoch from d.updated_at)::bigint
           when d.round_id is null then m.opens_at::bigint end) as ended_at
       from chain.measurement m left join app.measure_round d on d.round_id = m.round_id
     ), last_good as (
       select node_id, max(round_id) as round_id, max(expires_at) as expires_at from round where good group by node_id
     )
     select n.node_id::int, g.expires_at::int as valid_until, coalesce(bool_or(r.open), false) as open,
       count(*) filter (where not r.good and not r.open and r.round_id > coalesce(g.round_id, 0))::int as failures,
       max(r.ended_at) filter (where not r.good and not r.open)::int as failed_at,
       count(r.round_id)::int as rounds
     from chain.node n
       join app.session s on s.role = 'node' and s.subject_id = n.node_id and ${fresh}
       left join round r on r.node_id = n.node_id
       left join last_good g on g.node_id = n.node_id
     where n.status = 'online'
     group by n.node_id, g.expires_at order by n.node_id`,
    [now],
  );
  return rows;
}

/** A round that opens soon and is not drawn. */
export type UndrawnRound = {
  round_id: bigint;
  node_id: number;
  key: string;
  owner: string;
  opens_at: number;
  closes_at: number;
};

export async function undrawnRounds(pool: Database, now: number): Promise<UndrawnRound[]> {
  const { rows } = await pool.query<UndrawnRound>(
    `select m.round_id::numeric, m.node_id::int, n.key, coalesce(n.wallet, n.key) as owner, m.opens_at::int,
       m.closes_at::int
     from chain.measurement m join chain.node n on n.node_id = m.node_id
       join app.session s on s.role = 'node' and s.subject_id = n.node_id and ${fresh}
     where m.status = 'requested' and m.opens_at > $1
       and not exists (select from app.measure_round d where d.round_id = m.round_id)
     order by m.round_id`,
    [now],
  );
  return rows;
}

export type MeasurerSession = { measurer_id: number; owner: string };

/** Measurers with a session. */
export async function liveMeasurers(pool: Database): Promise<MeasurerSession[]> {
  const { rows } = await pool.query<MeasurerSession>(
    `select m.measurer_id::int, coalesce(m.wallet, m.key) as owner
     from chain.measurer m join app.session s on s.role = 'measurer' and s.subject_id = m.measurer_id and ${fresh}
     order by m.measurer_id`,
  );
  return rows;
}

export type Draw = {
  round_id: bigint;
  node_id: number;
  measurer_id: number;
  port: number;
  salt: Hex;
  token: string;
  commitment: Hex;
  status: "drawn" | "committed" | "ready" | "submitted" | "done" | "failed";
  url: string | null;
  closes_at: number;
};

const drawColumns =
  "d.round_id::numeric, d.node_id, d.measurer_id, d.port, d.salt, d.token, d.commitment, d.status, d.url, " +
  "d.closes_at::int as closes_at";

export async function putDraw(pool: Database, draw: Omit<Draw, "status" | "url">): Promise<void> {
  await pool.query(
    `insert into app.measure_round
       (round_id, node_id, measurer_id, port, salt, token, commitment, closes_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [
      ...[draw.round_id, draw.node_id, draw.measurer_id, draw.port, draw.salt, draw.token],
      ...[draw.commitment, draw.closes_at],
    ],
  );
}

/** Ports of draws under way: several nodes may share a machine. */
export async function portsInUse(pool: Database): Promise<Set<number>> {
  const { rows } = await pool.query<{ port: number }>(
    "select port from app.measure_round where status not in ('done', 'failed')",
  );
  return new Set(rows.map((row) => row.port));
}

/** A draw beside what the chain says of its round. */
export type OpenDraw = Draw & { on_chain: string; committed: boolean; submissions: number; opens_at: number };

export async function openDraws(pool: Database): Promise<OpenDraw[]> {
  const { rows } = await pool.query<OpenDraw>(
    `select ${drawColumns}, m.status as on_chain, d.commitment = any(m.commitments) as committed,
       m.submissions::int, m.opens_at::int
     from app.measure_round d join chain.measurement m on m.round_id = d.round_id
     where d.status not in ('done', 'failed') order by d.round_id`,
  );
  return rows;
}

/** Moves a draw on from one of the states given, and tells the instances that hold the sessions. */
export async function moveDraw(
  pool: Database,
  roundId: bigint,
  change: { from: Draw["status"][]; to: Draw["status"]; failure?: string },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update app.measure_round set status = $3, failure = coalesce($4, failure), updated_at = now()
     where round_id = $1 and status = any($2)`,
    [roundId, change.from, change.to, change.failure ?? null],
  );
  if (rowCount === 1) await pool.query("select pg_notify('app_changed', 'measure_round')");
  return rowCount === 1;
}

/** The node's probe answers. */
export async function markReady(
  pool: Database,
  ready: { roundId: bigint; nodeId: number; port: number; url: string },
): Promise<void> {
  await pool.query(
    `update app.measure_round set status = 'ready', url = $4, updated_at = now()
     where round_id = $1 and node_id = $2 and port = $3 and status = 'committed'`,
    [ready.roundId, ready.nodeId, ready.port, ready.url],
  );
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}

/** What the node or the measurer of a round could not do. */
export async function markFailed(
  pool: Database,
  failed: { roundId: bigint; role: "node" | "measurer"; subjectId: number; reason: string },
): Promise<void> {
  const column = failed.role === "node" ? "node_id" : "measurer_id";
  await pool.query(
    `update app.measure_round set status = 'failed', failure = $3, updated_at = now()
     where round_id = $1 and ${column} = $2 and status in ('drawn', 'committed', 'ready')`,
    [failed.roundId, failed.subjectId, `${failed.role}: ${failed.reason}`],
  );
  await pool.query("select pg_notify('app_changed', 'measure_round')");
}

/** Draws about which a node or a measurer has something to be told. */
export async function drawsToTell(pool: Database): Promise<Draw[]> {
  const { rows } = await pool.query<Draw>(
    `select ${drawColumns} from app.measure_round d
     where d.status in ('committed', 'ready')
       or (d.status in ('submitted', 'done', 'failed') and d.updated_at > now() - interval '60 seconds')
     order by d.round_id`,
  );
  return rows;
}
