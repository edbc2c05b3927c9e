import type { Queryable } from "@ngpu/db/pool";
import { postings } from "./postings.ts";

export type InvoiceLine = {
  /** Month of UTC, `2026-11`. */
  month: string;
  workspaceId: string;
  name: string | null;
  /** Lease payments, and their sum in token units. */
  payments: number;
  paid: bigint;
  refunded: bigint;
};

/**
 * What a wallet paid for leases, and what it got back, by month and workspace: the entries `lease_payment`, `lease_wait` and
 * `refund` of its statement, so that the two agree.
 *
 * @param month Only this one.
 */
export async function listInvoiceLines(
  db: Queryable,
  wallet: string,
  month: string | undefined,
): Promise<InvoiceLine[]> {
  const { rows } = await db.query<InvoiceLine>(
    `${postings}
     select found.month, found.workspace_id as "workspaceId", named.name, payments::int4 as payments,
       paid::numeric(78,0) as paid, refunded::numeric(78,0) as refunded
     from (
       select to_char(block.time at time zone 'utc', 'YYYY-MM') as month, subject->>'workspaceId' as workspace_id,
         count(distinct (posting.block_number, log_index)) filter (where kind <> 'refund') as payments,
         coalesce(sum(-change) filter (where kind <> 'refund'), 0) as paid,
         coalesce(sum(change) filter (where kind = 'refund'), 0) as refunded
       from posting join chain.block as block on block.number = posting.block_number
       where kind in ('lease_payment', 'lease_wait', 'refund') and change <> 0
       group by 1, 2
     ) as found left join app.workspace_name as named on named.workspace_id::text = found.workspace_id
     where $2::text is null or month = $2
     order by month desc, paid - refunded desc, found.workspace_id`,
    [wallet, month ?? null],
  );
  return rows;
}

/** Whether no reorg can change what happened before a time any more. */
export async function isFinalBefore(db: Queryable, time: Date): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from chain.head as head join chain.block as block on block.number = head.number
     where head.tier = 'finalized' and block.time >= $1`,
    [time],
  );
  return rowCount === 1;
}
