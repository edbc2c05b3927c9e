import type { Queryable } from "@ngpu/db/pool";
import { addressOf } from "./contracts.ts";
import type { Tier } from "./escrow.ts";

export type EpochRow = {
  number: string;
  /** Address of the contract that stores and pays it. */
  pomc: string;
  root: string;
  total: bigint;
  data_hash: string;
  activates_at: number;
  disabled: boolean;
  tier: Tier;
};

const epochColumns = `epoch.number::text as number, epoch.root, epoch.total, epoch.data_hash,
  epoch.activates_at::float8 as activates_at, epoch.disabled, chain.tier(epoch.block_number) as tier,
  ${addressOf("Pomc", "epoch")} as pomc`;

/**
 * Posted epochs, newest first; only those before `before`. If two generations of Pomc have the same number, the newer one is
 * returned: a replaced contract receives no more epochs, unless its poster continues.
 */
export async function listEpochs(
  db: Queryable,
  limit: number,
  before: string | undefined,
): Promise<EpochRow[]> {
  const { rows } = await db.query<EpochRow>(
    `select distinct on (epoch.number) ${epochColumns} from chain.epoch as epoch
     where $1::numeric is null or epoch.number < $1::numeric
     order by epoch.number desc, epoch.generation desc limit $2`,
    [before ?? null, limit],
  );
  return rows;
}

export async function findEpoch(
  db: Queryable,
  number: string,
): Promise<(EpochRow & { document: unknown }) | undefined> {
  const { rows } = await db.query<EpochRow & { document: unknown }>(
    `select ${epochColumns}, kept.document from chain.epoch as epoch
     left join app.epoch as kept on kept.number = epoch.number and kept.data_hash = epoch.data_hash
     where epoch.number = $1::numeric order by epoch.generation desc limit 1`,
    [number],
  );
  return rows[0];
}

export type LeafRow = {
  epoch: string;
  cumulative: bigint;
  proof: string;
  activates_at: number;
};

/** Unix seconds of the newest block, the clock of Pomc's activation delay; 0 before the first block. */
export async function chainTime(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ time: number }>(
    `select extract(epoch from block.time)::float8 as time
     from chain.head join chain.block using (number) where head.tier = 'unsafe'`,
  );
  return rows[0]?.time ?? 0;
}

/** The account's leaves in the epochs of one contract that are not disabled, newest first. */
export async function listLeaves(
  db: Queryable,
  account: string,
  generation: number,
  limit: number,
): Promise<LeafRow[]> {
  const { rows } = await db.query<LeafRow>(
    `select epoch.number::text as epoch, leaf.cumulative, leaf.proof, epoch.activates_at::float8 as activates_at
     from app.epoch_leaf as leaf
     join app.epoch as kept on kept.number = leaf.number
     join chain.epoch as epoch on epoch.number = leaf.number and epoch.root = kept.root
     where leaf.account = $1 and epoch.generation = $2 and not epoch.disabled order by leaf.number desc limit $3`,
    [account, generation, limit],
  );
  return rows;
}

/** The amount one contract has paid an account. */
export async function claimedBy(db: Queryable, account: string, generation: number): Promise<bigint> {
  const { rows } = await db.query<{ claimed: bigint }>(
    "select claimed from chain.claim where account = $1 and generation = $2",
    [account, generation],
  );
  return rows[0]?.claimed ?? 0n;
}

export type BondRow = {
  node_id: number;
  withheld: bigint;
  days: number;
  days_needed: number;
  through_day: number | null;
};

/** The unserved bonds of the nodes that pay to an account, under the terms of the newest closed epoch. */
export async function listBonds(db: Queryable, account: string): Promise<BondRow[]> {
  const { rows } = await db.query<BondRow>(
    `select bond.node_id::float8 as node_id, bond.withheld, bond.days, (terms.bond->>'days')::int4 as days_needed,
       (terms.bond->>'throughDay')::float8 as through_day
     from app.node_bond as bond
     cross join (select document->'bond' as bond from app.epoch order by number desc limit 1) as terms
     where bond.account = $1 and bond.served_in is null
       and not exists (select from app.node_bond as later where later.node_id = bond.node_id and later.number > bond.number)
     order by bond.node_id`,
    [account],
  );
  return rows;
}
