import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Address } from "viem";
import type { Role } from "../roles.ts";
import type { Scope } from "../scopes.ts";
import { type AuditEntry, insertAuditEnd, insertAuditEntry } from "./audit.ts";
import { acceptInvitation, findRole } from "./members.ts";

/** What a key may do and for how long, and its limits. */
type Terms = {
  scopes: Scope[] | null;
  expiresAt: Date | null;
  ratePerMinute: number | null;
  spendPerDay: bigint | null;
};

const terms = `scopes, expires_at as "expiresAt", rate_per_minute as "ratePerMinute", spend_per_day as "spendPerDay"`;

/** A key that is not revoked. */
export type KeyTerms = Terms & {
  wallet: Address;
  /** Who holds it: the account's own wallet, or a member's. */
  member: Address;
  role: Role;
  secretHash: Buffer;
  limitKeyId: string;
};

export async function findKey(db: Queryable, id: string): Promise<KeyTerms | undefined> {
  const { rows } = await db.query<KeyTerms>(
    `select key.wallet, coalesce(key.member, key.wallet) as member,
       case when key.member is null then 'owner' else known.role end as role,
       secret_hash as "secretHash", coalesce(rotated_from, id) as "limitKeyId", ${terms}
     from app.api_key as key left join app.member as known on known.account = key.wallet and known.wallet = key.member
     where id = $1 and revoked_at is null and (key.member is null or known.role is not null)`,
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
  /** Who holds it; absent: the account's own wallet. */
  member?: string;
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
       (id, wallet, name, secret_hash, scopes, expires_at, rate_per_minute, spend_per_day, rotated_from, member)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, $2))`,
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
      key.member ?? null,
    ],
  );
}

/**
 * Replaces a valid key by another of the same holder. The replaced key is accepted for the overlap, unless it expires sooner.
 *
 * @param nextOf Makes the new key; what it throws leaves the old one as it is.
 * @returns The name, and until when the replaced key is accepted; undefined when the holder has no such key.
 */
export async function rotateKey(
  db: Database,
  of: { wallet: string; member: string; id: string; overlapSeconds: number },
  nextOf: (replaced: Terms & { name: string }) => NewKey,
): Promise<{ name: string; acceptedUntil: Date } | undefined> {
  return transaction(db, async (connection) => {
    const { rows } = await connection.query<Terms & { name: string; rotatedFrom: string }>(
      `select name, coalesce(rotated_from, id) as "rotatedFrom", ${terms} from app.api_key
       where wallet = $1 and id = $2 and coalesce(member, wallet) = $3 and revoked_at is null
         and (expires_at is null or expires_at > now())
       for update`,
      [of.wallet, of.id, of.member],
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

/** A sign-in of a wallet, for its own account or for one that it is a member of. */
export type SignIn = {
  nonce: string;
  /** The wallet that has signed. */
  member: string;
  /** The account; undefined: the wallet's own, or that of the invitation. */
  account: string | undefined;
  invitation: { id: string; secretHash: Buffer } | undefined;
  key: Omit<NewKey, "wallet" | "member">;
  from: Omit<AuditEntry, "account" | "member" | "keyId">;
};

/**
 * Consumes a nonce, creates the wallet's account if it does not exist, accepts an invitation, and stores the new key.
 *
 * @returns The account and the role in it; or what is invalid. An invitation then stays as it is; the nonce is used.
 */
export async function openAccount(
  db: Database,
  signIn: SignIn,
): Promise<{ account: string; role: Role } | "nonce" | "invitation" | "membership"> {
  const { nonce, member, invitation, key } = signIn;
  return transaction(db, async (connection) => {
    const used = await connection.query(
      "delete from app.siwe_nonce where nonce = $1 and expires_at > now()",
      [nonce],
    );
    if (used.rowCount !== 1) return "nonce";
    await connection.query("insert into app.account (wallet) values ($1) on conflict do nothing", [member]);
    const joined = invitation && (await acceptInvitation(connection, invitation, member));
    if (invitation !== undefined && joined === undefined) return "invitation";
    const account = joined?.account ?? signIn.account ?? member;
    const role = joined?.role ?? (await findRole(connection, account, member));
    if (role === undefined) return "membership";
    await insertKey(connection, { ...key, wallet: account, member });
    const entry = await insertAuditEntry(connection, { ...signIn.from, account, member, keyId: key.id });
    await insertAuditEnd(connection, entry, { status: 201, made: key.id });
    return { account, role };
  });
}

/** Stores a nonce and deletes expired ones. */
export async function insertNonce(db: Queryable, nonce: string, expiresAt: Date): Promise<void> {
  await db.query("delete from app.siwe_nonce where expires_at < now()");
  await db.query("insert into app.siwe_nonce (nonce, expires_at) values ($1, $2)", [nonce, expiresAt]);
}

export type KeyRow = {
  id: string;
  /** Who holds it. */
  member: string;
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

/** @param holder Only the keys of this member; null: all. */
export async function listKeys(db: Queryable, wallet: string, holder: string | null): Promise<KeyRow[]> {
  const { rows } = await db.query<KeyRow>(
    `select id, coalesce(member, wallet) as member, name, created_at, last_used_at, scopes, expires_at, rate_per_minute, spend_per_day,
       coalesce((select amount from app.key_spending where key_id = coalesce(rotated_from, id)
         and day = (now() at time zone 'utc')::date), 0) as spent_today
     from app.api_key
     where wallet = $1 and revoked_at is null and ($2::text is null or coalesce(member, wallet) = $2)
     order by created_at, id`,
    [wallet, holder],
  );
  return rows;
}

/** False when there is no such key. @param of.holder Only a key of this member; null: of any. */
export async function revokeKey(
  db: Queryable,
  of: { wallet: string; id: string; holder: string | null },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update app.api_key set revoked_at = now()
     where wallet = $1 and id = $2 and revoked_at is null and ($3::text is null or coalesce(member, wallet) = $3)`,
    [of.wallet, of.id, of.holder],
  );
  return rowCount === 1;
}
