import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Address } from "viem";
import type { Scope } from "../scopes.ts";

/** What a key may do and for how long, and its limits. */
type Terms = {
  scopes: Scope[] | null;
  expiresAt: Date | null;
  ratePerMinute: number | null;
  spendPerDay: bigint | null;
};

const terms = `scopes, expires_at as "expiresAt", rate_per_minute as "ratePerMinute", spend_per_day as "spendPerDay"`;

/** A key that is not revoked. */
export type KeyTerms = Terms & { wallet: Address; secretHash: Buffer; limitKeyId: string };

export async function findKey(db: Queryable, id: string): Promise<KeyTerms | undefined> {
  const { rows } = await db.query<KeyTerms>(
    `select wallet, secret_hash as "secretHash", coalesce(rotated_from, id) as "limitKeyId", ${terms}
     from app.api_key where id = $1 and revoked_at is null`,
    [id],
  );
  return rows[0];
}

/** Records the use of a key, at most once a minute. */
export async function markKeyUsed(db: Queryable, id: string): Promise<void> {
  await db.query(
    `update app.api_key set last_used_at = now()
     where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    [id],
  );
}

export type NewKey = {
  id: string;
  wallet: string;
  name: string;
  secretHash: Buffer;
  /** Absent or null: everything. */
  scopes?: readonly Scope[] | null;
  /** Absent or null: never. */
  expiresAt?: Date | null;
  /** Absent or null: the API's own limit. */
  ratePerMinute?: number | null;
  /** Absent or null: any amount. */
  spendPerDay?: bigint | null;
  /** The first of the keys that were rotated into this one. */
  rotatedFrom?: string;
};

export async function insertKey(db: Queryable, key: NewKey): Promise<void> {
  await db.query(
    `insert into app.api_key
       (id, wallet, name, secret_hash, scopes, expires_at, rate_per_minute, spend_per_day, rotated_from)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      key.id,
      key.wallet,
      key.name,
      key.secretHash,
      key.scopes ?? null,
      key.expiresAt ?? null,
      key.ratePerMinute ?? null,
      key.spendPerDay ?? null,
      key.rotatedFrom ?? null,
    ],
  );
}

/**
 * Replaces a valid key by another. The replaced key is accepted for the overlap, unless it expires sooner.
 *
 * @param nextOf Makes the new key; what it throws leaves the old one as it is.
 * @returns The name, and until when the replaced key is accepted; undefined when the wallet has no such key.
 */
export async function rotateKey(
  db: Database,
  of: { wallet: string; id: string; overlapSeconds: number },
  nextOf: (replaced: Terms & { name: string }) => NewKey,
): Promise<{ name: string; acceptedUntil: Date } | undefined> {
  return transaction(db, async (connection) => {
    const { rows } = await connection.query<Terms & { name: string; rotatedFrom: string }>(
      `select name, coalesce(rotated_from, id) as "rotatedFrom", ${terms} from app.api_key
       where wallet = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > now())
       for update`,
      [of.wallet, of.id],
    );
    const [key] = rows;
    if (key === undefined) return undefined;
    const { ratePerMinute, spendPerDay, rotatedFrom } = key;
    await insertKey(connection, { ...nextOf(key), ratePerMinute, spendPerDay, rotatedFrom });
    const replaced = await connection.query<{ expires_at: Date }>(
      `update app.api_key set expires_at = least(expires_at, now() + make_interval(secs => $2))
       where id = $1 returning expires_at`,
      [of.id, of.overlapSeconds],
    );
    return { name: key.name, acceptedUntil: replaced.rows[0]?.expires_at as Date };
  });
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

export type KeyRow = {
  id: string;
  name: string;
  created_at: Date;
  last_used_at: Date | null;
  scopes: Scope[] | null;
  expires_at: Date | null;
  rate_per_minute: number | null;
  spend_per_day: bigint | null;
  /** What its tasks have cost today. */
  spent_today: bigint;
};

export async function listKeys(db: Queryable, wallet: string): Promise<KeyRow[]> {
  const { rows } = await db.query<KeyRow>(
    `select id, name, created_at, last_used_at, scopes, expires_at, rate_per_minute, spend_per_day,
       coalesce((select amount from app.key_spending where key_id = coalesce(rotated_from, id)
         and day = (now() at time zone 'utc')::date), 0) as spent_today
     from app.api_key
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
