import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Queryable } from "@ngpu/db/pool";
import { type HeartbeatAck, rootSignerOf } from "@ngpu/protocol/heartbeatAck";
import { type HeartbeatWord, nodesOfWord } from "@ngpu/protocol/heartbeatWords";
import { wordTreeOf } from "@ngpu/protocol/heartbeatWordTree";
import type { Hex } from "viem";

/** What an instance heard in a slot, as a receipts' signer signed it. */
export type SlotReceipt = HeartbeatAck & { words: HeartbeatWord[] };

/** The root over no words: a signed one says that an instance heard nobody. */
export const noRoot: Hex = `0x${"0".repeat(64)}`;

/** Stores what an instance heard in a slot in place of what it stored before, and notifies the cosigners. */
export async function storeReceipt(db: Queryable, instance: string, receipt: SlotReceipt): Promise<void> {
  const { slot, words, root, signature } = receipt;
  await db.query(
    `insert into app.heartbeat_receipt (slot, instance, words, root, signature) values ($1, $2, $3, $4, $5)
     on conflict (slot, instance) do update
       set words = excluded.words, root = excluded.root, signature = excluded.signature`,
    [slot, instance, JSON.stringify(words), root, signature],
  );
}

/** Deletes what was stored for slots before this one. */
export async function forgetReceipts(db: Queryable, before: bigint): Promise<void> {
  await db.query("delete from app.heartbeat_receipt where slot < $1", [before]);
  await db.query("delete from app.heartbeat_proposal where slot < $1", [before]);
}

/**
 * The receipts of a slot that count: their words lead to their root, and an account that is a receipts' signer on the
 * chain signed it. Nothing else in the table is believed.
 */
export async function readReceipts(
  db: Queryable,
  deployment: Deployment,
  slot: bigint,
): Promise<SlotReceipt[]> {
  const { rows } = await db.query<Omit<SlotReceipt, "slot">>(
    "select words, root, signature from app.heartbeat_receipt where slot = $1 order by instance",
    [slot],
  );
  if (rows.length === 0) return [];
  const signers = await receiptSigners(db);
  const receipts = await Promise.all(
    rows.map(async (row) => {
      const receipt = { ...row, slot };
      if (!isUnderRoot(receipt)) return [];
      const signer = await rootSignerOf(deployment, receipt);
      return signer !== undefined && signers.has(signer.toLowerCase()) ? [receipt] : [];
    }),
  );
  return receipts.flat();
}

/** The nodes of receipts. */
export function nodesOfReceipts(receipts: readonly SlotReceipt[]): Set<number> {
  return new Set(receipts.flatMap(({ words }) => words.flatMap(nodesOfWord)));
}

function isUnderRoot({ words, root }: SlotReceipt): boolean {
  if (words.length === 0) return root === noRoot;
  try {
    return wordTreeOf(words).root === root.toLowerCase();
  } catch {
    // The words are none, so no signer signed their root.
    return false;
  }
}

async function receiptSigners(db: Queryable): Promise<Set<string>> {
  const { rows } = await db.query<{ account: string; allowed: boolean }>(
    `select distinct on (account) account, allowed from chain.event_receipt_signer_set
     order by account, block_number desc, log_index desc`,
  );
  return new Set(rows.filter(({ allowed }) => allowed).map(({ account }) => account.toLowerCase()));
}
