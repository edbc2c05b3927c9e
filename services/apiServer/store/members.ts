import { timingSafeEqual } from "node:crypto";
import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Role } from "../roles.ts";

export type MemberRow = {
  wallet: string;
  role: Role;
  name: string | null;
  added_at: Date;
  /** When a key of the member was used last. */
  last_used_at: Date | null;
};

/** The members of an account: its own wallet first, then by when they were added. */
export async function listMembers(db: Queryable, account: string): Promise<MemberRow[]> {
  const { rows } = await db.query<MemberRow>(
    `select wallet, role, name, added_at, (
       select max(last_used_at) from app.api_key as key
       where key.wallet = $1 and coalesce(key.member, key.wallet) = known.wallet) as last_used_at
     from (
       select wallet, 'owner' as role, null as name, created_at as added_at, 0 as place from app.account where wallet = $1
       union all
       select wallet, role, name, added_at, 1 from app.member where account = $1
     ) as known order by place, added_at, wallet`,
    [account],
  );
  return rows;
}

/** False when the wallet is no member, or is the account's own. */
export async function changeRole(
  db: Queryable,
  of: { account: string; wallet: string; role: Role },
): Promise<boolean> {
  const { rowCount } = await db.query("update app.member set role = $3 where account = $1 and wallet = $2", [
    of.account,
    of.wallet,
    of.role,
  ]);
  return rowCount === 1;
}

/** Removes a member and revokes its keys. False when the wallet is no member, or is the account's own. */
export function removeMember(db: Database, account: string, wallet: string): Promise<boolean> {
  return transaction(db, async (connection) => {
    const { rowCount } = await connection.query("delete from app.member where account = $1 and wallet = $2", [
      account,
      wallet,
    ]);
    await connection.query(
      "update app.api_key set revoked_at = now() where wallet = $1 and member = $2 and revoked_at is null",
      [account, wallet],
    );
    return rowCount === 1;
  });
}

export type NewInvitation = {
  id: string;
  account: string;
  role: Role;
  name: string | null;
  wallet: string | null;
  secretHash: Buffer;
  expiresAt: Date;
};

export async function insertInvitation(db: Queryable, one: NewInvitation): Promise<void> {
  await db.query(
    `insert into app.invitation (id, account, role, name, wallet, secret_hash, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [one.id, one.account, one.role, one.name, one.wallet, one.secretHash, one.expiresAt],
  );
}

export type InvitationRow = {
  id: string;
  role: Role;
  name: string | null;
  wallet: string | null;
  created_at: Date;
  expires_at: Date;
};

/** Invitations that can still be accepted. */
export async function listInvitations(db: Queryable, account: string): Promise<InvitationRow[]> {
  const { rows } = await db.query<InvitationRow>(
    `select id, role, name, wallet, created_at, expires_at from app.invitation
     where account = $1 and accepted_at is null and revoked_at is null and expires_at > now() order by created_at, id`,
    [account],
  );
  return rows;
}

/** False when the account has no such invitation that can still be accepted. */
export async function revokeInvitation(db: Queryable, account: string, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update app.invitation set revoked_at = now()
     where account = $1 and id = $2 and accepted_at is null and revoked_at is null and expires_at > now()`,
    [account, id],
  );
  return rowCount === 1;
}

/**
 * Makes a wallet a member, in the transaction of its sign-in.
 *
 * @returns Undefined when the invitation is unknown, used, revoked, expired or for another wallet, or when the wallet is a member
 *   already: then the invitation stays as it is.
 */
export async function acceptInvitation(
  connection: Queryable,
  invitation: { id: string; secretHash: Buffer },
  wallet: string,
): Promise<{ account: string; role: Role } | undefined> {
  const { rows } = await connection.query<{
    account: string;
    role: Role;
    name: string | null;
    secret_hash: Buffer;
  }>(
    `select account, role, name, secret_hash from app.invitation
     where id = $1 and accepted_at is null and revoked_at is null and expires_at > now() and coalesce(wallet, $2) = $2
       and account <> $2 for update`,
    [invitation.id, wallet],
  );
  const [found] = rows;
  if (found === undefined || !timingSafeEqual(found.secret_hash, invitation.secretHash)) return undefined;
  const { account, role, name } = found;
  const added = await connection.query(
    "insert into app.member (account, wallet, role, name) values ($1, $2, $3, $4) on conflict do nothing",
    [account, wallet, role, name],
  );
  if (added.rowCount !== 1) return undefined;
  await connection.query("update app.invitation set accepted_at = now(), accepted_by = $2 where id = $1", [
    invitation.id,
    wallet,
  ]);
  return { account, role };
}

/** The role of a wallet in an account; undefined: it is no member. */
export async function findRole(db: Queryable, account: string, wallet: string): Promise<Role | undefined> {
  if (account === wallet) return "owner";
  const { rows } = await db.query<{ role: Role }>(
    "select role from app.member where account = $1 and wallet = $2 for share",
    [account, wallet],
  );
  return rows[0]?.role;
}
