import type { Queryable } from "../../shared/db/pool.ts";
import type { LeaseFacts } from "../decide.ts";

export type Tier = "unsafe" | "safe" | "finalized";

/** Unix seconds: the database's clock, but never before the chain's newest block. */
export async function currentTime(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ now: number }>(
    `select floor(extract(epoch from greatest(now(), (
       select max(block.time) from chain.head join chain.block using (number) where head.tier = 'unsafe'
     ))))::float8 as now`,
  );
  return rows[0]?.now ?? Math.floor(Date.now() / 1000);
}

export type AccountRow = {
  deposited: bigint;
  withdrawn: bigint;
  settled: bigint;
  refunded: bigint;
  tier: Tier | null;
};

export async function findAccount(db: Queryable, wallet: string): Promise<AccountRow> {
  const { rows } = await db.query<AccountRow>(
    `select deposited, withdrawn, settled, refunded, chain.tier(block_number) as tier
     from chain.escrow_account where account = $1`,
    [wallet],
  );
  return rows[0] ?? { deposited: 0n, withdrawn: 0n, settled: 0n, refunded: 0n, tier: null };
}

export type AuthorizationRow = {
  id: string;
  delegate: string;
  max_rate: bigint;
  total: bigint;
  scope: string;
  expiry: number;
  revoked: boolean;
  tier: Tier;
};

export async function listAuthorizations(db: Queryable, wallet: string): Promise<AuthorizationRow[]> {
  const { rows } = await db.query<AuthorizationRow>(
    `select authorization_id::text as id, delegate, max_rate, total, scope, expiry::float8 as expiry, revoked,
       chain.tier(block_number) as tier
     from chain.spending_authorization where owner = $1 order by authorization_id desc limit 100`,
    [wallet],
  );
  return rows;
}

/** Every lease that the wallet's authorizations paid or pay for. */
export async function listLeases(db: Queryable, wallet: string): Promise<LeaseFacts[]> {
  const { rows } = await db.query<{
    authorization_id: string;
    rate: bigint;
    running: boolean;
    closed: boolean;
    clock_since: number | null;
    settled: bigint;
  }>(
    `select lease.authorization_id::text, lease.rate, lease.running, lease.closed,
       lease.clock_since::float8 as clock_since, lease.settled
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
    settled: BigInt(row.settled),
  }));
}
