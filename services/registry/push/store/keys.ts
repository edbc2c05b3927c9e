import type { Queryable } from "@ngpu/db/pool";

/** A key that may push: not revoked, not expired, of an owner or a developer, with the scope of workspaces. */
export async function findKey(
  db: Queryable,
  id: string,
): Promise<{ account: string; secretHash: Buffer } | undefined> {
  const { rows } = await db.query<{ account: string; secretHash: Buffer }>(
    `select key.wallet as account, key.secret_hash as "secretHash"
     from app.api_key as key
       left join app.member as known on known.account = key.wallet and known.wallet = key.member
     where key.id = $1 and key.revoked_at is null and (key.expires_at is null or key.expires_at > now())
       and (key.scopes is null or 'workspaces' = any (key.scopes))
       and (key.member is null or known.role in ('owner', 'developer'))`,
    [id],
  );
  return rows[0];
}
