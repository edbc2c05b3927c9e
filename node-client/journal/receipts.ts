import type { NodeReceipt } from "@ngpu/protocol/heartbeatReceipt";
import type { Hex } from "viem";
import type { Journal } from "./open.ts";

/** What has become of a slot: not looked at, committed with our bit, or without it and disputed. */
type ReceiptState = "held" | "counted" | "disputed";

/** Keeps the receipt of a slot; a second one for the slot proves no more. */
export function putReceipt(journal: Journal, receipt: NodeReceipt): void {
  const { slot, nodeId, root, signature, proof } = receipt;
  journal
    .prepare("insert into receipt values (?, ?, ?, ?, ?, 'held') on conflict do nothing")
    .run(slot, nodeId, root, signature, JSON.stringify(proof));
}

/** Receipts of slots before `slot` whose commitment has not been looked at, oldest first. */
export function heldReceipts(journal: Journal, slot: bigint, limit: number): NodeReceipt[] {
  return journal
    .prepare("select * from receipt where state = 'held' and slot < ? order by slot limit ?")
    .all(slot, limit)
    .map((row) => ({
      slot: BigInt(Number(row.slot)),
      nodeId: Number(row.node_id),
      root: String(row.root) as Hex,
      signature: String(row.signature) as Hex,
      proof: JSON.parse(String(row.proof)) as Hex[],
    }));
}

export function markReceipt(journal: Journal, slot: bigint, state: ReceiptState): void {
  journal.prepare("update receipt set state = ? where slot = ?").run(state, slot);
}

/** Forgets what can no longer be disputed. */
export function dropReceipts(journal: Journal, before: bigint): void {
  journal.prepare("delete from receipt where slot < ?").run(before);
}
