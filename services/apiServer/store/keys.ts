import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Address } from "viem";

export async function findKey(
  db: Queryable,
  id: string,
): Promise<{ wallet: Address; secretHash: Buffer } | undefined> {
  const { rows } = await db.query<{ wallet: Address; secret_hash: Buffer }>(
    "select wallet, secret_hash from app.api_key where id = $1 and revoked_at is null",
    [id],
  );
  const [row] = rows;
  return row && { wallet: row.wallet, secretHash: row.secret_hash };
}

/** Records the use of a key, at most once a minute. */
export async function markKeyUsed(db: Queryable, id: string): Promise<void> {
  await db.query(
    `update app.api_key set last_used_at = now()
     where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    [id],
  );
}

export type NewKey = { id: string; wallet: string; name: string; secretHash: Buffer };

export async function insertKey(db: Queryable, key: NewKey): Promise<void> {
  await db.query("insert into app.api_key (id, wallet, name, secret_hash) values ($1, $2, $3, $4)", [
    key.id,
    key.wallet,
    key.name,
    key.secretHash,
  ]);
}

/**
 * Consumes a nonce, creates the wallet's account if it does not exist, and stores its new key.
 *
 * @returns False when the nonce is unknown, used or expired.
 */
export async function openAccount(db: Database, nonce: string, key: NewKey): Promise<boolean> {
  return transaction(db, async (connection) => {
    const used = await connection.query(
      "delete from app.siwe_nonce where nonce = $1 and expires_at > now()",
      [nonce],
    );
    if (used.rowCount !== 1) return false;
    await connection.query("insert into app.account (wallet) values ($1) on conflict do nothing", [
      key.wallet,
    ]);
    await insertKey(connection, key);
    return true;
  });
}

/** Stores a nonce and deletes expired ones. */
export async function insertNonce(db: Queryable, nonce: string, expiresAt: Date): Promise<void> {
  await db.query("delete from app.siwe_nonce where expires_at < now()");
  await db.query("insert into app.siwe_nonce (nonce, expires_at) values ($1, $2)", [nonce, expiresAt]);
}

export type KeyRow = { id: string; name: string; created_at: Date; last_used_at: Date | null };

export async function listKeys(db: Queryable, wallet: string): Promise<KeyRow[]> {
  const { rows } = await db.query<KeyRow>(
    `select id, name, created_at, last_used_at from app.api_key
     where wallet = $1 and revoked_at is null order by created_at, id`,
    [wallet],
  );
  return rows;
}

/** False when the wallet has no such key. */
export async function revokeKey(db: Queryable, wallet: string, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "update app.api_key set revoked_at = now() where wallet = $1 and id = $2 and revoked_at is null",
    [wallet, id],
  );
  return rowCount === 1;
}
