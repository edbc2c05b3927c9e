import type { NodeHeartbeatAck } from "@ngpu/protocol/heartbeatAck";
import type { Hex } from "viem";
import type { Journal } from "./open.ts";

/** `held`: not checked yet; `counted`: committed with the node's bit; `disputed`: committed without it. */
type AckState = "held" | "counted" | "disputed";

/** Stores the acknowledgement of a slot. A second one for the same slot is ignored: it proves no more. */
export function putAck(journal: Journal, ack: NodeHeartbeatAck): void {
  const { slot, nodeId, root, signature, bits, proof } = ack;
  journal
    .prepare("insert into heartbeat_receipt values (?, ?, ?, ?, ?, ?, 'held') on conflict do nothing")
    .run(slot, nodeId, root, signature, bits, JSON.stringify(proof));
}

/** Acknowledgements of unchecked slots before `slot`, oldest first. */
export function pendingAcks(journal: Journal, slot: bigint, limit: number): NodeHeartbeatAck[] {
  return journal
    .prepare("select * from heartbeat_receipt where state = 'held' and slot < ? order by slot limit ?")
    .all(slot, limit)
    .map((row) => ({
      slot: BigInt(Number(row.slot)),
      nodeId: Number(row.node_id),
      root: String(row.root) as Hex,
      signature: String(row.signature) as Hex,
      bits: String(row.bits) as Hex,
      proof: JSON.parse(String(row.proof)) as Hex[],
    }));
}

/** Records the state of a slot's acknowledgement. */
export function markAck(journal: Journal, slot: bigint, state: AckState): void {
  journal.prepare("update heartbeat_receipt set state = ? where slot = ?").run(state, slot);
}

/** Deletes the acknowledgements of slots before `before`, which can no longer be disputed. */
export function dropAcks(journal: Journal, before: bigint): void {
  journal.prepare("delete from heartbeat_receipt where slot < ?").run(before);
}
