import type { Queryable } from "@ngpu/db/pool";
import { addressOf } from "./contracts.ts";
import type { Tier } from "./escrow.ts";

export type ReceiptRow = {
  payer: string;
  node_id: number;
  workspace_id: string;
  replica: number;
  lease: number;
  finished_at: string;
  duration_ms: number;
  succeeded: boolean;
  amount: bigint;
  result_hash: string;
  proof: string[];
  root: string;
  batch: string;
  /** Address of the contract that stores the root. */
  pomc: string;
  tx_hash: string;
  tier: Tier;
};

/** The receipt of a task; undefined until its batch is on the chain. */
export async function findReceipt(db: Queryable, taskId: string): Promise<ReceiptRow | undefined> {
  const { rows } = await db.query<ReceiptRow>(
    `select receipt.payer, receipt.node_id::float8, receipt.workspace_id::text, receipt.replica, receipt.lease::float8,
       receipt.finished_at::text, receipt.duration_ms::float8, receipt.succeeded, receipt.amount, receipt.result_hash,
       receipt.proof, receipt.root, event.number::text as batch,
       ${addressOf("Pomc", "event")} as pomc, event.tx_hash, chain.tier(event.block_number) as tier
     from app.receipt as receipt join chain.event_receipts_committed as event using (root)
     where receipt.task_id = $1`,
    [taskId],
  );
  return rows[0];
}
