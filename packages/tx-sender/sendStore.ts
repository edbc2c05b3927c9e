import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Hex } from "viem";

/** A row of app.transaction. */
export type StoredTransaction = {
  id: bigint;
  signer: string;
  nonce: bigint;
  kind: string;
  to_address: Hex;
  data: Hex;
  gas: bigint;
  max_fee: bigint;
  max_priority_fee: bigint;
  hashes: Hex[];
  raw: Hex;
  signed_at: Date;
  signed_block: bigint;
  status: "sent" | "mined" | "failed";
  hash: Hex | null;
};

/** The fields of a transaction that are signed. Fees are in wei. */
export type Unsigned = {
  nonce: bigint;
  to: Hex;
  data: Hex;
  gas: bigint;
  maxFee: bigint;
  maxPriorityFee: bigint;
};
export type Signed = { hash: Hex; raw: Hex };

/** The columns of app.transaction in StoredTransaction. */
export const columns =
  "id, signer, nonce, kind, to_address, data, gas, max_fee, max_priority_fee, hashes, raw, signed_at, signed_block, status, hash";

export async function byKey(
  db: Queryable,
  dedupeKey: string | undefined,
): Promise<StoredTransaction | undefined> {
  if (dedupeKey === undefined) return undefined;
  const { rows } = await db.query<StoredTransaction>(
    `select ${columns} from app.transaction where dedupe_key = $1`,
    [dedupeKey],
  );
  return rows[0];
}

/** At most 500 pending transactions, lowest nonce first. */
export async function outstanding(pool: Database, signer: string): Promise<StoredTransaction[]> {
  const { rows } = await pool.query<StoredTransaction>(
    `select ${columns} from app.transaction where signer = $1 and status = 'sent' order by nonce limit 500`,
    [signer],
  );
  return rows;
}

export async function byIds(pool: Database, ids: bigint[]): Promise<StoredTransaction[]> {
  if (ids.length === 0) return [];
  const { rows } = await pool.query<StoredTransaction>(
    `select ${columns} from app.transaction where id = any($1)`,
    [ids],
  );
  return rows;
}

/** Whether a mined transaction is not final yet, so that a reorg may remove it. */
export async function hasUnfinalized(pool: Database, signer: string): Promise<boolean> {
  const { rows } = await pool.query(
    "select 1 from app.transaction where signer = $1 and status = 'mined' and not final limit 1",
    [signer],
  );
  return rows.length > 0;
}

/** The number of transactions from a nonce on that can be broadcast again. */
export async function countRebroadcastable(
  pool: Database,
  signer: string,
  fromNonce: bigint,
): Promise<bigint> {
  const { rows } = await pool.query<{ count: bigint }>(
    `select count(*) as count from app.transaction
     where signer = $1 and nonce >= $2 and (status = 'sent' or (status = 'mined' and not final))`,
    [signer, fromNonce],
  );
  return rows[0]?.count ?? 0n;
}

/** Marks mined transactions from a nonce on, which a reorg removed, as pending again. */
export async function reopen(
  pool: Database,
  signer: string,
  fromNonce: bigint,
): Promise<StoredTransaction[]> {
  const { rows } = await pool.query<StoredTransaction>(
    `update app.transaction set status = 'sent', hash = null, block_number = null, reverted = null
     where signer = $1 and status = 'mined' and not final and nonce >= $2 returning ${columns}`,
    [signer, fromNonce],
  );
  return rows;
}

export async function markMined(
  pool: Database,
  id: bigint,
  mined: { hash: Hex; blockNumber: bigint; reverted: boolean },
): Promise<void> {
  await pool.query(
    `update app.transaction set status = 'mined', hash = $2, block_number = $3, reverted = $4,
       dedupe_key = case when $4 then null else dedupe_key end
     where id = $1`,
    [id, mined.hash, mined.blockNumber, mined.reverted],
  );
}

export async function markFinal(pool: Database, signer: string, upToBlock: bigint): Promise<void> {
  await pool.query(
    `update app.transaction set final = true
     where signer = $1 and status = 'mined' and not final and block_number <= $2`,
    [signer, upToBlock],
  );
}

/** Marks a transaction as failed because a foreign one used its nonce. Raises the next nonce to that of the chain. */
export async function markFailed(
  pool: Database,
  row: { id: bigint; signer: string; chainNonce: bigint },
): Promise<void> {
  await transaction(pool, async (db) => {
    await db.query("update app.signer set next_nonce = greatest(next_nonce, $2) where address = $1", [
      row.signer,
      row.chainNonce,
    ]);
    await db.query("update app.transaction set status = 'failed', dedupe_key = null where id = $1", [row.id]);
  });
}

/** Stores a replacement under the same nonce. @returns False if another process replaced or settled it first. */
export async function replace(
  pool: Database,
  row: StoredTransaction,
  next: Signed & { maxFee: bigint; maxPriorityFee: bigint; block: bigint },
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update app.transaction set raw = $3, hashes = array_prepend($4, hashes), max_fee = $5, max_priority_fee = $6,
       signed_at = now(), signed_block = $7
     where id = $1 and raw = $2 and status = 'sent'`,
    [row.id, row.raw, next.raw, next.hash, next.maxFee, next.maxPriorityFee, next.block],
  );
  return rowCount === 1;
}
