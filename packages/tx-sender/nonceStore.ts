import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import { byKey, columns, type Signed, type StoredTransaction, type Unsigned } from "./sendStore.ts";

/**
 * Inserts the signer, or raises its next nonce to the account's nonce on the chain. The nonce is not raised if the
 * signer was stored for another chain.
 *
 * @returns The stored genesis hash and next nonce.
 */
export async function ensureSigner(
  pool: Database,
  signer: { address: string; genesisHash: string; chainNonce: bigint },
): Promise<{ genesis_hash: string; next_nonce: bigint }> {
  const { rows } = await pool.query<{ genesis_hash: string; next_nonce: bigint }>(
    `insert into app.signer (address, genesis_hash, next_nonce) values ($1, $2, $3)
     on conflict (address) do update set next_nonce = greatest(app.signer.next_nonce,
       case when app.signer.genesis_hash = excluded.genesis_hash then excluded.next_nonce else 0 end)
     returning genesis_hash, next_nonce`,
    [signer.address, signer.genesisHash, signer.chainNonce],
  );
  return rows[0] as { genesis_hash: string; next_nonce: bigint };
}

/**
 * Allocates the signer's next nonce and stores the signed transaction, in one database transaction: a crash never
 * leaves a nonce gap. If the dedupe key is already used, it returns the existing row.
 */
export function allocate(
  pool: Database,
  entry: {
    signer: string;
    kind: string;
    dedupeKey: string | undefined;
    block: bigint;
    unsigned: Omit<Unsigned, "nonce">;
  },
  sign: (unsigned: Unsigned) => Promise<Signed>,
): Promise<{ row: StoredTransaction; isNew: boolean }> {
  return transaction(pool, async (db) => {
    const { rows } = await db.query<{ next_nonce: bigint }>(
      "select next_nonce from app.signer where address = $1 for update",
      [entry.signer],
    );
    const nonce = rows[0]?.next_nonce ?? 0n;
    const existing = await byKey(db, entry.dedupeKey);
    if (existing !== undefined) return { row: existing, isNew: false };
    const row = await insert(db, entry, { ...entry.unsigned, nonce }, sign);
    if (row === undefined) {
      const winner = await byKey(db, entry.dedupeKey);
      if (winner === undefined)
        throw new Error(`There is no transaction with dedupe key ${entry.dedupeKey}.`);
      return { row: winner, isNew: false };
    }
    await db.query("update app.signer set next_nonce = $2 where address = $1", [entry.signer, nonce + 1n]);
    return { row, isNew: true };
  });
}

async function insert(
  db: Connection,
  entry: { signer: string; kind: string; dedupeKey: string | undefined; block: bigint },
  unsigned: Unsigned,
  sign: (unsigned: Unsigned) => Promise<Signed>,
): Promise<StoredTransaction | undefined> {
  const signed = await sign(unsigned);
  const { rows } = await db.query<StoredTransaction>(
    `insert into app.transaction
       (signer, nonce, kind, dedupe_key, to_address, data, gas, max_fee, max_priority_fee, hashes, raw, signed_block)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, array[$10::text], $11, $12)
     on conflict (dedupe_key) do nothing
     returning ${columns}`,
    [
      entry.signer,
      unsigned.nonce,
      entry.kind,
      entry.dedupeKey ?? null,
      unsigned.to,
      unsigned.data,
      unsigned.gas,
      unsigned.maxFee,
      unsigned.maxPriorityFee,
      signed.hash,
      signed.raw,
      entry.block,
    ],
  );
  return rows[0];
}
