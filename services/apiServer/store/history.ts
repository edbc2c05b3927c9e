import type { Queryable } from "@ngpu/db/pool";
import { addressOf } from "./contracts.ts";
import type { Tier } from "./escrow.ts";

export type HistoryRow = {
  kind: "deposit" | "withdrawal" | "settlement" | "wait" | "refund";
  amount: bigint;
  workspace_id: string | null;
  replica: number | null;
  lease: number | null;
  node_id: number | null;
  day: string | null;
  down_seconds: number | null;
  at: Date;
  tx_hash: string;
  /** Address of the escrow whose balance changed. */
  escrow: string;
  /** Block number × 65536 + log index. */
  id: string;
  tier: Tier;
};

/** Changes of an account's balance, newest first; only those before id `before`. */
export async function listHistory(
  db: Queryable,
  wallet: string,
  limit: number,
  before: string | undefined,
): Promise<HistoryRow[]> {
  const { rows } = await db.query<HistoryRow>(
    `with change as (
       select 'deposit' as kind, amount, null::bigint as workspace_id, null::int as replica, null::bigint as lease,
         null::bigint as node_id, null::bigint as day, null::bigint as down_seconds, block_time, tx_hash, block_number, log_index,
         generation
       from chain.event_deposited where account = $1
       union all
       select 'withdrawal', amount, null, null, null, null, null, null, block_time, tx_hash, block_number, log_index,
         generation
       from chain.event_withdrawn where account = $1
       union all
       select 'settlement', settled.amount, workspace_id, replica, lease, settled.node_id, null, null,
         settled.block_time, settled.tx_hash, settled.block_number, settled.log_index,
         settled.generation
       from chain.event_authorized as authorized
       join chain.event_lease_opened as opened using (authorization_id)
       join chain.event_settled as settled using (workspace_id, replica, lease)
       where authorized.owner = $1 and settled.amount > 0
       union all
       select 'wait', waited.amount, workspace_id, replica, lease, waited.node_id, null, null,
         waited.block_time, waited.tx_hash, waited.block_number, waited.log_index,
         waited.generation
       from chain.event_authorized as authorized
       join chain.event_lease_opened as opened using (authorization_id)
       join chain.event_wait_charged as waited using (workspace_id, replica, lease)
       where authorized.owner = $1 and waited.amount > 0
       union all
       select 'refund', amount, workspace_id, replica, lease, node_id, day, down_seconds, block_time, tx_hash, block_number,
         log_index, generation
       from chain.event_refunded where owner = $1
     )
     select kind, amount, workspace_id::text, replica::float8, lease::float8, node_id::float8, day::text,
       down_seconds::float8, block_time as at, tx_hash, (block_number * 65536 + log_index)::text as id,
       chain.tier(block_number) as tier,
       ${addressOf("Escrow", "change")} as escrow
     from change where $2::numeric is null or block_number * 65536 + log_index < $2::numeric
     order by block_number desc, log_index desc limit $3`,
    [wallet, before ?? null, limit],
  );
  return rows;
}
