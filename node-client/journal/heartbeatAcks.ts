import type { NodeHeartbeatAck } from "@ngpu/protocol/heartbeatAck";
import type { Hex } from "viem";
import type { Journal } from "./open.ts";

/** What has become of a slot: not looked at, committed with our bit, or without it and disputed. */
type AckState = "held" | "counted" | "disputed";

/** Keeps the receipt of a slot; a second one for the slot proves no more. */
export function putAck(journal: Journal, receipt: NodeHeartbeatAck): void {
  const { slot, nodeId, root, signature, proof } = receipt;
  journal
    .prepare("insert into receipt values (?, ?, ?, ?, ?, 'held') on conflict do nothing")
    .run(slot, nodeId, root, signature, JSON.stringify(proof));
}

/** Receipts of slots before `slot` whose commitment has not been looked at, oldest first. */
export function pendingAcks(journal: Journal, slot: bigint, limit: number): NodeHeartbeatAck[] {
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

export function markAck(journal: Journal, slot: bigint, state: AckState): void {
  journal.prepare("update receipt set state = ? where slot = ?").run(state, slot);
}

/** Forgets what can no longer be disputed. */
export function dropAcks(journal: Journal, before: bigint): void {
  journal.prepare("delete from receipt where slot < ?").run(before);
}
