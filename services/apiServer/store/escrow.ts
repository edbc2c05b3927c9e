import type { Queryable } from "@ngpu/db/pool";
import type { LeaseFacts } from "../decide.ts";
import { addressOf } from "./contracts.ts";

export type Tier = "unsafe" | "safe" | "finalized";

/** Current time in Unix seconds: the database's clock, but not before the newest block. */
export async function currentTime(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ now: number }>(
    `select floor(extract(epoch from greatest(now(), (
       select max(block.time) from chain.head join chain.block using (number) where head.tier = 'unsafe'
     ))))::float8 as now`,
  );
  return rows[0]?.now ?? Math.floor(Date.now() / 1000);
}

export type AccountRow = {
  generation: number;
  /** Address of the escrow contract. */
  escrow: string;
  deposited: bigint;
  withdrawn: bigint;
  settled: bigint;
  refunded: bigint;
  burned: bigint;
  tier: Tier | null;
};

/** The wallet's account in each generation of Escrow, oldest first; without those it never deposited to. */
export async function findAccounts(db: Queryable, wallet: string): Promise<AccountRow[]> {
  const { rows } = await db.query<AccountRow>(
    `select generation, ${addressOf("Escrow", "account")} as escrow, deposited, withdrawn, settled, refunded, burned,
       chain.tier(block_number) as tier
     from chain.escrow_account as account where account.account = $1 order by generation`,
    [wallet],
  );
  return rows;
}

const maxAuthorizations = 100;

export type AuthorizationRow = {
  id: string;
  /** Generation of the escrow that stores it. */
  generation: number;
  escrow: string;
  delegate: string;
  max_rate: bigint;
  daily: bigint;
  total: bigint;
  scope: string;
  expiry: number;
  revoked: boolean;
  tier: Tier;
};

/** The wallet's authorizations, newest first, at most 100 of each escrow. */
export async function listAuthorizations(db: Queryable, wallet: string): Promise<AuthorizationRow[]> {
  const { rows } = await db.query<AuthorizationRow>(
    `select authorization_id::text as id, spending.generation, spending.escrow, delegate, max_rate, daily, total, scope,
       expiry::float8 as expiry, revoked, chain.tier(block_number) as tier
     from chain.contract as contract cross join lateral (
       select own.*, contract.address as escrow from chain.spending_authorization as own
       where own.owner = $1 and own.generation = contract.generation order by own.authorization_id desc limit $2
     ) as spending
     where contract.name = 'Escrow' order by spending.authorization_id desc`,
    [wallet, maxAuthorizations],
  );
  return rows;
}

/** All leases paid under the wallet's authorizations, closed ones included. */
export async function listLeases(db: Queryable, wallet: string): Promise<LeaseFacts[]> {
  const { rows } = await db.query<{
    authorization_id: string;
    rate: bigint;
    running: boolean;
    closed: boolean;
    clock_since: number | null;
    spent: bigint;
    locked: bigint;
  }>(
    `select lease.authorization_id::text, lease.rate, lease.running, lease.closed,
       lease.clock_since::float8 as clock_since, lease.settled + lease.burned as spent,
       case when lease.closed then 0 else lease.lock - lease.from_lock end::numeric as locked
     from chain.lease join chain.spending_authorization using (authorization_id)
     where spending_authorization.owner = $1`,
    [wallet],
  );
  return rows.map((row) => ({
    authorizationId: row.authorization_id,
    rate: BigInt(row.rate),
    running: row.running,
    closed: row.closed,
    clockSince: row.clock_since ?? 0,
    spent: BigInt(row.spent),
    locked: BigInt(row.locked),
  }));
}
