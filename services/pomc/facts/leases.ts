import type { Database } from "@ngpu/db/pool";
import { type HoldPeriods, maturedDay } from "@ngpu/rewards/matured";
import type { LeaseFacts } from "@ngpu/rewards/tasks";

type Row = {
  workspace_id: bigint;
  replica: number;
  lease: number;
  node_id: number;
  node: string;
  payer: string;
  paid_before: bigint;
  receipts_before: bigint;
  paid_now: bigint;
  receipts_now: bigint;
};

/** SQL: what a lease had paid and the receipts for it by the end of a day, of what block `asOf` knows. */
const sumsAt = (day: string, asOf: string, name: string) => `
  left join lateral (
    select coalesce((
        select settled from chain.lease_history as state
         where state.workspace_id = lease.workspace_id and state.replica = lease.replica and state.lease = lease.lease
           and state.valid_from <= last.number and (state.valid_to is null or state.valid_to > last.number)), 0)
      - coalesce((
        select sum(refunded.amount) from chain.event_refunded as refunded
         where refunded.workspace_id = lease.workspace_id and refunded.replica = lease.replica
           and refunded.lease = lease.lease and refunded.day <= ${day} and refunded.block_number <= ${asOf}), 0) as paid,
      coalesce((
        select amount from chain.lease_receipt_history as receipts
         where receipts.workspace_id = lease.workspace_id and receipts.replica = lease.replica
           and receipts.lease = lease.lease and receipts.valid_from <= last.number
           and (receipts.valid_to is null or receipts.valid_to > last.number)), 0) as receipts
    from (
      select number from chain.block where time < to_timestamp((${day} + 1) * $3) and number <= ${asOf}
       order by number desc limit 1) as last
  ) as ${name} on true`;

const payouts = `
  select node_id::float8, generation::float8,
         floor(extract(epoch from max(block_time)))::float8 as latest,
         floor(extract(epoch from max(block_time) filter (where block_number <= $1)))::float8 as earlier
    from chain.event_collected where block_number <= $2
   group by node_id, generation having max(block_number) > $1`;

const leasesDue = `
  with payout as (
    select * from unnest($4::int4[], $5::int2[], $6::int8[], $7::int8[]) as paid (node_id, generation, day_before, day_now)
  )
  select lease.workspace_id::numeric, lease.replica::float8, lease.lease::float8, lease.node_id::float8,
         coalesce(node.wallet, node.key) as node, spending.owner as payer,
         coalesce(earlier.paid, 0) as paid_before, coalesce(earlier.receipts, 0) as receipts_before,
         coalesce(later.paid, 0) as paid_now, coalesce(later.receipts, 0) as receipts_now
    from payout
    join chain.lease as lease using (node_id, generation)
    join chain.spending_authorization as spending using (authorization_id)
    join chain.node_history as node on node.node_id = lease.node_id
     and node.valid_from <= $2 and (node.valid_to is null or node.valid_to > $2)
    ${sumsAt("payout.day_before", "$1", "earlier")}
    ${sumsAt("payout.day_now", "$2", "later")}
   where later.paid > 0
   order by lease.workspace_id, lease.replica, lease.lease`;

type Payout = { node_id: number; generation: number; latest: number; earlier: number | null };

/**
 * The leases of nodes that were paid out in blocks after `after`, up to `upTo`: what each had paid, and the receipts for it,
 * by the days that this payout and the one before have burned the fee of.
 */
export async function leaseFacts(
  database: Database,
  { after, upTo }: { after: bigint; upTo: bigint },
  { feeBasisPoints, ...periods }: HoldPeriods & { feeBasisPoints: number },
): Promise<LeaseFacts[]> {
  const paid = await database.query<Payout>(payouts, [after, upTo]);
  const days = paid.rows
    .map(({ latest, earlier, ...of }) => ({
      ...of,
      before: earlier === null ? -1 : maturedDay(earlier, periods),
      now: maturedDay(latest, periods),
    }))
    .filter(({ before, now }) => now > before);
  const { rows } = await database.query<Row>(leasesDue, [
    after,
    upTo,
    periods.daySeconds,
    days.map(({ node_id: nodeId }) => nodeId),
    days.map(({ generation }) => generation),
    days.map(({ before }) => before),
    days.map(({ now }) => now),
  ]);
  return rows.map((row) => ({
    workspaceId: BigInt(row.workspace_id),
    replica: row.replica,
    lease: row.lease,
    nodeId: row.node_id,
    node: row.node,
    payer: row.payer,
    feeBasisPoints,
    before: { paid: BigInt(row.paid_before), receipts: BigInt(row.receipts_before) },
    now: { paid: BigInt(row.paid_now), receipts: BigInt(row.receipts_now) },
  }));
}
