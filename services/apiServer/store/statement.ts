import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { Tier } from "./escrow.ts";
import { postings } from "./postings.ts";

export const books = ["wallet", "deposit", "lock", "rewards", "bond", "tasks"] as const;
export type Book = (typeof books)[number];

export const entryKinds = [
  "transfer",
  "mint",
  "burn",
  "deposit",
  "withdrawal",
  "lock",
  "unlock",
  "lease_payment",
  "lease_wait",
  "refund",
  "payout",
  "fee_burn",
  "reward",
  "claim",
  "bond_withheld",
  "bond_returned",
  "task",
] as const;

/** What an entry refers to. */
export type EntrySubject = {
  counterparty?: string;
  workspaceId?: string;
  replica?: number;
  lease?: number;
  nodeId?: number;
  day?: string;
  epoch?: string;
  batch?: string;
};

export type EntryRow = {
  id: bigint;
  book: Book;
  kind: (typeof entryKinds)[number];
  /** What it adds to its book, token units (1e-18). */
  change: bigint;
  subject: EntrySubject;
  block: bigint;
  at: Date;
  /** Null for a change that only the epoch's document states. */
  tx_hash: string | null;
  tier: Tier;
};

type Page = { limit: number; before: string | undefined };

/** A page of a wallet's statement with its balances, both of the same block. */
export function readStatement(
  db: Database,
  wallet: string,
  page: Page,
): Promise<{ rows: EntryRow[]; balances: StatementBalances }> {
  return transaction(db, async (connection) => {
    await connection.query("set transaction isolation level repeatable read, read only");
    const balances = await statementBalances(connection, wallet);
    return { balances, rows: await listEntries(connection, wallet, page) };
  });
}

/** The entries of a wallet's statement, newest first; only those before id `before`. */
async function listEntries(db: Queryable, wallet: string, { limit, before }: Page): Promise<EntryRow[]> {
  const { rows } = await db.query<EntryRow>(
    `${postings}
     select id, book, kind, change, subject, found.block_number as block, block.time as at, tx_hash,
       chain.tier(found.block_number) as tier
     from (
       select (block_number * 4194304 + log_index * 4 + part)::bigint as id, * from posting
       where change <> 0 and ($2::numeric is null or block_number * 4194304 + log_index * 4 + part < $2::numeric)
       order by block_number desc, log_index desc, part desc limit $3
     ) as found join chain.block as block on block.number = found.block_number
     order by id desc`,
    [wallet, before ?? null, limit],
  );
  return rows;
}

export type StatementBalances = Record<Book, bigint> & { block: bigint; hash: string };

/** What the wallet has in each book at the newest exported block, from the chain's states instead of the entries. */
async function statementBalances(db: Queryable, wallet: string): Promise<StatementBalances> {
  const { rows } = await db.query<StatementBalances>(balancesQuery, [wallet]);
  return (
    rows[0] ?? { wallet: 0n, deposit: 0n, lock: 0n, rewards: 0n, bond: 0n, tasks: 0n, block: 0n, hash: "" }
  );
}

const balancesQuery = `
  with locked as (
    select coalesce(sum(lease.lock - lease.from_lock), 0) as amount
    from chain.lease join chain.spending_authorization as spending using (authorization_id)
    where spending.owner = $1 and not lease.closed
  ), granted as (
    select distinct on (epoch.generation) leaf.cumulative, epoch.generation
    from app.epoch_leaf as leaf
    join app.epoch as kept on kept.number = leaf.number
    join chain.epoch as epoch on epoch.number = leaf.number and epoch.root = kept.root
    where leaf.account = $1 and not epoch.disabled order by epoch.generation, epoch.number desc
  )
  select head.number as block, head.hash,
    (select coalesce(sum(value), 0) from chain.event_transfer where "to" = $1)
      - (select coalesce(sum(value), 0) from chain.event_transfer where "from" = $1) as wallet,
    (select coalesce(sum(deposited - withdrawn - settled + refunded - burned), 0) from chain.escrow_account where account = $1)
      - locked.amount as deposit,
    locked.amount as lock,
    (select coalesce(sum(cumulative), 0) from granted)
      - (select coalesce(sum(claimed), 0) from chain.claim where account = $1) as rewards,
    (select coalesce(sum(bond.withheld), 0) from app.node_bond as bond
      where bond.account = $1 and not exists (
        select from app.node_bond as later where later.node_id = bond.node_id and later.number > bond.number)) as bond,
    (select coalesce(sum(amount), 0) from chain.payer_receipt where account = $1) as tasks
  from locked, chain.head where head.tier = 'unsafe'`;
