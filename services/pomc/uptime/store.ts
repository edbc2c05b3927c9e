import { type Database, transaction } from "@ngpu/db/pool";
import type { LeaseDowntime } from "@ngpu/protocol/uptimeTree";
import { readPresence } from "@ngpu/queries/presence";
import { slotsOfDay } from "@ngpu/rewards/epochs";
import type { DayFacts } from "@ngpu/rewards/uptime";
import type { Hex } from "viem";
import type { BlockRef } from "../store.ts";

/** Maximum number of refunds in one transaction. */
const maxRefunds = 100;

export type ProvenDowntime = LeaseDowntime & { proof: Hex[] };

type LeaseRow = {
  workspace_id: bigint;
  replica: number;
  lease: number;
  node_id: number;
  authorization_id: bigint;
  rate: bigint;
};

function leaseOf(row: LeaseRow) {
  return {
    workspaceId: row.workspace_id,
    replica: row.replica,
    lease: row.lease,
    nodeId: row.node_id,
    authorizationId: row.authorization_id,
    rate: row.rate,
  };
}

/** The last closed day; null if there is none. */
export async function lastDay(database: Database): Promise<bigint | null> {
  const { rows } = await database.query<{ day: bigint | null }>("select max(day) as day from app.uptime_day");
  return rows[0]?.day ?? null;
}

/** Chain data of a day, as of a block. */
export async function dayFacts(
  database: Database,
  day: bigint,
  asOf: BlockRef,
  periods: { daySeconds: number; slotSeconds: number },
): Promise<DayFacts> {
  const begin = Number(day) * periods.daySeconds;
  const end = (Number(day) + 1) * periods.daySeconds;
  const { slots, disputes, challenges } = await readPresence(
    database,
    asOf.block,
    slotsOfDay(Number(day), periods),
  );
  const { daySeconds, slotSeconds } = periods;
  const runs = await runsIn(database, { begin, end, asOf });
  return { day, daySeconds, slotSeconds, slots, disputes, challenges, runs };
}

// Each version of a lease in which it runs is a paid period, up to its authorization's expiry.
async function runsIn(
  database: Database,
  { begin, end, asOf }: { begin: number; end: number; asOf: BlockRef },
): Promise<DayFacts["runs"]> {
  const { rows } = await database.query<LeaseRow & { since: number; until: number }>(
    `select lease.workspace_id::numeric, lease.replica::float8, lease.lease::float8, lease.node_id::float8,
            lease.authorization_id::numeric, lease.rate,
            greatest($2, extract(epoch from began.time))::float8 as since,
            least($3, extract(epoch from ended.time), spending.expiry, revoked.expiry)::float8 as until
       from chain.lease_history as lease
       join chain.block as began on began.number = lease.valid_from
       left join chain.block as ended on ended.number = lease.valid_to and lease.valid_to <= $1
       join chain.event_authorized as spending using (authorization_id)
       left join lateral (
         select min(expiry) as expiry from chain.event_authorization_revoked as revoked
          where revoked.authorization_id = lease.authorization_id and revoked.block_number <= $1
       ) as revoked on true
      where lease.running and not lease.closed and lease.valid_from <= $1
        and began.time < to_timestamp($3) and (ended.time is null or ended.time > to_timestamp($2))
        and spending.expiry > $2`,
    [asOf.block, begin, end],
  );
  return rows.map((row) => ({
    ...leaseOf(row),
    from: row.since,
    to: row.until,
  }));
}

/** Stores a closed day with the leases to refund, before its root is posted. Idempotent. */
export async function saveDay(
  database: Database,
  closed: { day: bigint; root: Hex | null; asOf: BlockRef; downtime: ProvenDowntime[] },
): Promise<void> {
  const { day, root, asOf, downtime } = closed;
  await transaction(database, async (connection) => {
    const inserted = await connection.query(
      `insert into app.uptime_day (day, root, as_of_block, as_of_hash) values ($1, $2, $3, $4)
       on conflict (day) do nothing`,
      [day, root, asOf.block, asOf.hash],
    );
    if (inserted.rowCount === 0) return;
    // As JSON: proofs differ in length, and an array of arrays in Postgres is rectangular.
    await connection.query(
      `insert into app.downtime (day, workspace_id, replica, lease, node_id, authorization_id, rate, down_seconds, proof)
       select $1, workspace_id, replica, lease, node_id, authorization_id, rate, down_seconds,
         array(select jsonb_array_elements_text(proof))
       from unnest($2::numeric[], $3::integer[], $4::bigint[], $5::bigint[], $6::numeric[], $7::numeric[], $8::integer[],
         $9::jsonb[])
         as item (workspace_id, replica, lease, node_id, authorization_id, rate, down_seconds, proof)`,
      [
        day,
        downtime.map((item) => item.workspaceId),
        downtime.map((item) => item.replica),
        downtime.map((item) => item.lease),
        downtime.map((item) => item.nodeId),
        downtime.map((item) => item.authorizationId),
        downtime.map((item) => item.rate),
        downtime.map((item) => item.downSeconds),
        downtime.map((item) => JSON.stringify(item.proof)),
      ],
    );
  });
}

/** Days after a day in which its downtime is refunded, and a day's length in seconds. */
type RefundTerms = { daySeconds: number; refundDays: number };

/** The newest closed day whose root is not on the chain: the last one, or one that can still be refunded; null without one. */
export async function dayToPost(
  database: Database,
  { daySeconds, refundDays }: RefundTerms,
): Promise<{ day: bigint; root: Hex } | null> {
  const { rows } = await database.query<{ day: bigint; root: Hex }>(
    `select day, root from app.uptime_day
      where root is not null and (day = (select max(day) from app.uptime_day) or day >= (
          select extract(epoch from block.time)::int8 / $1 - $2
            from chain.head join chain.block using (number) where head.tier = 'unsafe'))
        and not exists (select from chain.event_uptime_committed as posted where posted.day = uptime_day.day)
      order by day desc limit 1`,
    [daySeconds, refundDays],
  );
  return rows[0] ?? null;
}

/** Refunds that are still possible and not on the chain, once the root of their day is active. */
export async function refundsDue(
  database: Database,
  { daySeconds, refundDays }: RefundTerms,
): Promise<ProvenDowntime[]> {
  const { rows } = await database.query<LeaseRow & { day: bigint; down_seconds: number; proof: Hex[] }>(
    `with clock as (
       select extract(epoch from block.time)::int8 as now
         from chain.head join chain.block using (number) where head.tier = 'unsafe'
     )
     select item.day, item.workspace_id, item.replica::float8, item.lease::float8, item.node_id::float8,
            item.authorization_id, item.rate, item.down_seconds::float8, item.proof
       from clock
       join app.uptime_day as closed on closed.day < clock.now / $1 and closed.day >= clock.now / $1 - $3
       join chain.event_uptime_committed as posted on posted.day = closed.day and posted.root = closed.root
        and posted.active_at <= clock.now
       join app.downtime as item on item.day = closed.day and item.refused_with is null
      where not exists (
        select from chain.event_refunded as refunded
         where refunded.day = item.day and refunded.workspace_id = item.workspace_id
           and refunded.replica = item.replica and refunded.lease = item.lease)
        and not exists (select from chain.event_uptime_disabled as disabled
          where disabled.day = posted.day and disabled.block_number > posted.block_number)
      order by item.day, item.workspace_id, item.replica, item.lease limit $2`,
    [daySeconds, maxRefunds, refundDays],
  );
  return rows.map((row) => ({
    day: row.day,
    ...leaseOf(row),
    downSeconds: row.down_seconds,
    proof: row.proof,
  }));
}

/** Records that the contract refused a refund, so that it is not submitted again. */
export async function markRefused(database: Database, item: LeaseDowntime, error: string): Promise<void> {
  await database.query(
    `update app.downtime set refused_with = $5
      where day = $1 and workspace_id = $2 and replica = $3 and lease = $4`,
    [item.day, item.workspaceId, item.replica, item.lease, error],
  );
}
