import { type Database, type Queryable, transaction } from "@ngpu/db/pool";
import type { NodeBond } from "@ngpu/rewards/bonds";
import type { Closed } from "@ngpu/rewards/close";
import type { EpochDocument } from "@ngpu/rewards/document";
import type { RewardContract } from "@ngpu/rewards/rewardContracts";
import type { ProvenLeaf } from "@ngpu/rewards/tree";
import { FatalError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";

/**
 * Deletes epochs that were closed for a Pomc they do not belong to, and all later ones. That Pomc was replaced before it accepted
 * the epoch's root, so nothing of it can be claimed, and its successor computes the epoch again.
 *
 * @returns Number of epochs to close again.
 * @throws FatalError `deployment_outdated` when epochs were closed for a Pomc that the deployment does not list.
 */
export async function dropSuperseded(
  database: Database,
  rewardContracts: readonly RewardContract[],
): Promise<number> {
  const { rows } = await database.query<{ unknown: bigint }>(
    "select count(*) as unknown from app.epoch where generation > $1",
    [rewardContracts.length],
  );
  if ((rows[0]?.unknown ?? 0n) > 0n) {
    throw new FatalError("Epochs were closed for a Pomc that is not in the deployment file.", {
      code: "deployment_outdated",
      hint: "Set DEPLOYMENT_FILE to the file that the last replacement wrote.",
    });
  }
  const { rowCount } = await database.query(
    `delete from app.epoch where number >= (
       select min(number) from app.epoch as closed where generation <> (
         select max(pomc.generation) from unnest($1::int4[], $2::int8[]) as pomc (generation, before)
          where pomc.before < closed.number))`,
    [
      rewardContracts.map(({ generation }) => generation),
      rewardContracts.map(({ epochsBefore }) => epochsBefore),
    ],
  );
  return rowCount ?? 0;
}

/** The last closed epoch, the total grants of its Pomc, and every node's bond after it. */
export async function lastClosed(database: Database): Promise<Closed> {
  const { rows } = await database.query<{ number: bigint; through_day: number | null }>(
    `select number, (document->'bond'->>'throughDay')::float8 as through_day from app.epoch
      order by number desc limit 1`,
  );
  const last = rows[0];
  if (last === undefined) return { number: 0, granted: new Map(), bonds: new Map(), throughDay: null };
  const leaves = await database.query<{ account: string; cumulative: bigint }>(
    "select account, cumulative from app.epoch_leaf where number = $1",
    [last.number],
  );
  const bonds = await database.query<NodeBond>(
    `select distinct on (node_id) node_id::float8 as "nodeId", account, withheld, highest, days,
            served_in::float8 as "servedIn"
       from app.node_bond order by node_id, number desc`,
  );
  return {
    number: Number(last.number),
    granted: new Map(leaves.rows.map((leaf) => [leaf.account, leaf.cumulative])),
    bonds: new Map(bonds.rows.map((bond) => [bond.nodeId, bond])),
    throughDay: last.through_day,
  };
}

/** Stores a closed epoch with its leaves, before its root is posted. Idempotent. */
export async function saveEpoch(
  database: Database,
  epoch: {
    generation: number;
    document: EpochDocument;
    dataHash: Hex;
    root: Hex | null;
    total: bigint;
    leaves: ProvenLeaf[];
  },
): Promise<void> {
  await transaction(database, async (connection) => {
    const { number } = epoch.document;
    const inserted = await connection.query(
      `insert into app.epoch (number, root, total, data_hash, document, generation) values ($1, $2, $3, $4, $5, $6)
       on conflict (number) do nothing`,
      [number, epoch.root, epoch.total, epoch.dataHash, toJson(epoch.document), epoch.generation],
    );
    if (inserted.rowCount === 0) return;
    await insertLeaves(connection, number, epoch.leaves);
    await insertBonds(connection, number, epoch.document.bonds);
  });
}

async function insertLeaves(db: Queryable, number: number, leaves: readonly ProvenLeaf[]): Promise<void> {
  await db.query(
    `insert into app.epoch_leaf (number, account, cumulative, proof)
     select $1, * from unnest($2::text[], $3::numeric[], $4::jsonb[])`,
    [
      number,
      leaves.map((leaf) => leaf.account),
      leaves.map((leaf) => leaf.cumulative),
      leaves.map((leaf) => JSON.stringify(leaf.proof)),
    ],
  );
}

async function insertBonds(db: Queryable, number: number, bonds: EpochDocument["bonds"]): Promise<void> {
  await db.query(
    `insert into app.node_bond (number, node_id, account, withheld, highest, days, served_in)
     select $1, * from unnest($2::bigint[], $3::text[], $4::numeric[], $5::numeric[], $6::integer[], $7::bigint[])`,
    [
      number,
      bonds.map((bond) => bond.nodeId),
      bonds.map((bond) => bond.account),
      bonds.map((bond) => bond.withheld),
      bonds.map((bond) => bond.highest),
      bonds.map((bond) => bond.days),
      bonds.map((bond) => bond.servedIn),
    ],
  );
}

export type EpochToPost = { number: bigint; root: Hex; total: bigint; dataHash: Hex };

/** The newest closed epoch of a Pomc whose number and total are above those posted for that Pomc; null if there is none. */
export async function epochToPost(
  database: Database,
  { generation }: RewardContract,
): Promise<EpochToPost | null> {
  const { rows } = await database.query<{ number: bigint; root: Hex; total: bigint; data_hash: Hex }>(
    `select number, root, total, data_hash from app.epoch
      where generation = $1 and root is not null
        and number > coalesce((select max(number) from chain.epoch where generation = $1), 0)
        and total > coalesce((select max(total) from chain.epoch where generation = $1 and not disabled), 0)
      order by number desc limit 1`,
    [generation],
  );
  const found = rows[0];
  return found === undefined
    ? null
    : { number: found.number, root: found.root, total: found.total, dataHash: found.data_hash };
}

/**
 * Grants of previous Pomcs that none of their valid roots contains, token units (1e-18). This happens when a root is disabled
 * after its Pomc was replaced. Only that Pomc can pay them.
 */
export async function owedByPrevious(database: Database, { generation }: RewardContract): Promise<bigint> {
  const { rows } = await database.query<{ owed: bigint }>(
    `select coalesce(sum(granted.total - posted.total), 0) as owed
       from (select generation, max(total) as total from app.epoch where generation < $1 group by generation) as granted
       cross join lateral (
         select coalesce(max(total), 0) as total from chain.epoch
          where epoch.generation = granted.generation and not disabled) as posted
      where granted.total > posted.total`,
    [generation],
  );
  return rows[0]?.owed ?? 0n;
}
